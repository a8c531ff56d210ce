"""The systems of one library in a process of its own: takes jobs, saves the answers, tells seconds and peak memory.

Runs in either environment: with the book's systems in the book's, with the peers' in theirs. The peers' lacks what the
book needs; but the module of chapter 21, whose clock and meter are used for both, imports nothing but NumPy.
"""
import json, os, pickle, sys
# before NumPy is imported: one thread for everybody
os.environ.update({f'{o}_NUM_THREADS': '1' for o in 'OMP MKL OPENBLAS NUMEXPR RAYON NUMBA LK'.split()})
os.environ['LK_NUM_BACKEND_THREADS'] = '1'
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
import numpy as np
sys.path.append(str(Path(__file__).resolve().parent.parent))
from collab_lesson.speed import peak_mb, timed

def read(file):
    "The task that `compare.py` wrote: arrays for the peers, a `Task` for the book"
    if file.endswith('.pkl'): return pickle.loads(Path(file).read_bytes())
    with np.load(file) as z: return SimpleNamespace(**{k: v if v.ndim else v.item() for k,v in z.items()})

def small(t, n=3000):
    "The first ratings only, to warm up on: imports, compilers and caches are not what we compare"
    if hasattr(t, 'train'):
        first = lambda o: None if o is None else o[:100]
        return replace(t, train=t.train[:n], pairs=first(t.pairs), times=first(t.times))
    cut = lambda k,v: v[:100 if k.startswith('test') else n] if np.ndim(v) and k!='scale' and not k.endswith('features') else v
    return SimpleNamespace(**{k: cut(k, v) for k,v in vars(t).items()})

def short(settings):
    "The same settings, with two rounds instead of many"
    rounds = 'n_epochs', 'n_epoch', 'n_iter', 'niter', 'nr_iters', 'n_sweeps', 'iterations', 'epochs'
    return {k: 2 if k in rounds else v for k,v in settings.items()}

def answer_one(system, t, seed, settings, file):
    answer, fit_wall_s, fit_s = timed(lambda: system(t, seed, **settings))
    res, predict_wall_s, predict_s = timed(answer)
    res = np.asarray(res)
    np.save(file, res.astype(np.float32 if res.dtype.kind=='f' else np.int32))
    return dict(fit_s=fit_s, predict_s=predict_s, wall_s=fit_wall_s+predict_wall_s, peak_mb=peak_mb())

def main(side):
    "Read jobs from stdin, one line of JSON each, and answer each with a line"
    out, sys.stdout = sys.stdout, sys.stderr  # so that nothing a library prints gets in between
    warm, files, systems = set(), {}, None
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if job['task'] not in files: files = {job['task']: read(job['task'])}
            t, name = files[job['task']], job['system']
            if hasattr(t, 'train'): # without what the last job has cached
                t = replace(t, train=t.train[:])
                for o in (t.train.user_names, t.train.item_names): vars(o).pop('fingerprint', None)
            if systems is None:
                if side=='peers': import peers; systems = peers.systems
                else:
                    import torch
                    from collab_lesson import comparison
                    torch.set_num_threads(1)
                    systems = comparison.book_systems()
            if name not in warm:
                try: systems[name](small(t), job['seed'], **short(job['settings']))()
                except Exception as e: print(f'warm-up of {name}: {type(e).__name__}: {e}', file=sys.stderr)
                warm.add(name)
            res = answer_one(systems[name], t, job['seed'], job['settings'], job['answer'])
        except Exception as e: res = dict(error=f'{type(e).__name__}: {e}')
        print(json.dumps(res), file=out, flush=True)

if __name__=='__main__': main(*sys.argv[1:])
