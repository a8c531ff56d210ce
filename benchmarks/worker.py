"""One system in a process of its own: takes jobs, saves the answers, tells seconds and peak memory.

Runs in either environment: with the book's systems in the book's, with the peers' in theirs. The peers' lacks what the
book needs; but the module of chapter 21, whose clock and meter are used for both, imports nothing but NumPy.
"""
import json, os, pickle, sys
# before NumPy is imported: one thread for everybody
os.environ.update({f'{o}_NUM_THREADS': '1' for o in 'OMP MKL OPENBLAS NUMEXPR RAYON NUMBA LK'.split()})
os.environ['LK_NUM_BACKEND_THREADS'] = '1'
from pathlib import Path
from types import SimpleNamespace
import numpy as np
sys.path.append(str(Path(__file__).resolve().parent.parent))
from collab_lesson.speed import peak_mb, timed

def read(folder):
    "The task that `compare.py` wrote: arrays for the peers, `Ratings` for the book"
    folder = Path(folder)
    if (folder/'task.pkl').exists(): return pickle.loads((folder/'task.pkl').read_bytes())
    with np.load(folder/'task.npz') as z: return SimpleNamespace(**{k: v if v.ndim else v.item() for k,v in z.items()})

def small(t, n=3000):
    "The first ratings only, to warm up on: imports, compilers and caches are not what we compare"
    cut = lambda o, n: o[:n] if hasattr(o, '__len__') else o
    return SimpleNamespace(**{k: cut(v, 100 if k.startswith('test') else n) if not k.endswith('features') else v for k,v in vars(t).items()})

def short(settings):
    "The same settings, with two rounds instead of many"
    return {k: (1 if k=='burn' else 2 if k in ('n_epochs','n_epoch','n_iter','niter','n_sweeps','iterations','epochs') else v) for k,v in settings.items()}

def answer_one(system, t, seed, settings, folder):
    answer, fit_wall_s, fit_s = timed(lambda: system(t, seed, **settings))
    res, predict_wall_s, predict_s = timed(answer)
    np.save(f'{folder}/answer.npy', np.asarray(res))
    return dict(fit_s=fit_s, predict_s=predict_s, fit_wall_s=fit_wall_s, predict_wall_s=predict_wall_s, peak_mb=peak_mb())

def main(side, name):
    "Read jobs from stdin, one line of JSON each, and answer each with a line"
    out, sys.stdout = sys.stdout, sys.stderr  # so that nothing a library prints gets in between
    warm = False
    for line in sys.stdin:
        job = json.loads(line)
        try:
            t = read(job['folder'])
            kind = 'ranking_systems' if hasattr(t, 'k') else 'rating_systems'
            if side=='peers':
                import peers
                system = getattr(peers, kind)[name]
            else:
                import torch
                from collab_lesson import comparison
                torch.set_num_threads(1)
                system = {**comparison.rating_systems(stock=True), **comparison.ranking_systems()}[name]
            if not warm:
                try: system(small(t), job['seed'], **short(job['settings']))()
                except Exception as e: print(f'warm-up of {name}: {type(e).__name__}: {e}', file=sys.stderr)
                warm, before = True, peak_mb()
            res = dict(answer_one(system, t, job['seed'], job['settings'], job['folder']), before_mb=before)
        except Exception as e: res = dict(error=f'{type(e).__name__}: {e}')
        print(json.dumps(res), file=out, flush=True)

if __name__=='__main__': main(*sys.argv[1:])
