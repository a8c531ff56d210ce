"""Seconds and memory of chapter 22's folders of ratings, from 10⁵ to 2.5·10⁷, and of its training on several processes.

Each step runs in a process of its own with one thread. Seconds are the processor's (all processes of the step together
where it says so), memory is the peak of the process above that of the libraries. Adds to nbs/results/scale.json what it
has measured; `python benchmarks/scale.py --what sizes,shards,plain,ease,batch,road`.
"""
import json, os, subprocess, sys, tempfile, time
from pathlib import Path

import numpy as np
from fastcore.script import call_parse

out = Path(__file__).resolve().parent.parent/'nbs/results/scale.json'
sizes = {10**5: (943, 1682), 10**6: (6040, 3706), 10**7: (69_878, 10_677), 25*10**6: (162_541, 59_047)} # as MovieLens

def note(**kw):
    from collab_lesson.movielens import save_measured
    save_measured(out.name, kw, add=True, folder=out.parent)

def csv_of(n, folder):
    "A CSV of n synthetic ratings"
    import pyarrow as pa, pyarrow.csv
    from collab_lesson.ratings import synthetic_ratings
    file = Path(folder)/f'{n}.csv'
    if not file.exists():
        df = synthetic_ratings(*sizes[n], n)
        t = pa.table({o: df[o].to_numpy() for o in ('user', 'movie', 'rating')})
        pa.csv.write_csv(t, file)
    return file

def step(name, *args):
    "A function of this file in a process of its own: what it returns, wall and processor seconds, peak MB"
    env = os.environ | dict(OMP_NUM_THREADS='1', MKL_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1')
    p = subprocess.run([sys.executable, __file__, '--only', name, '--args', json.dumps(list(map(str, args)))], env=env, stdout=subprocess.PIPE, text=True)
    if p.returncode: raise RuntimeError(f'{name}{args} ended with {p.returncode}')
    res = json.loads(p.stdout.splitlines()[-1])
    print(name, *args, res, flush=True)
    return res

def measured_step(name, args):
    import torch
    from collab_lesson.speed import peak_mb
    from collab_lesson import all, scale # not counted
    torch.set_num_threads(1)
    warm(name)
    before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
    res = globals()[name](*args)
    wall, cpu = time.perf_counter()-wall, time.process_time()-cpu
    print(json.dumps(dict(wall=round(wall, 3), cpu=round(cpu, 3), mb=round(peak_mb()-before, 1), load=round(os.getloadavg()[0], 1)) | (res or {})))

def warm(name): # compiled loops, and what is imported late
    from collab_lesson.all import Ratings, ALS, DotProductBias, fit, recommend, random_ratings
    with tempfile.TemporaryDirectory() as tmp:
        df = random_ratings(5000, 100, 100)
        df.to_csv(f'{tmp}/a.csv', index=False)
        r = Ratings.build(f'{tmp}/a.csv', f'{tmp}/a')
        if name in ('als', 'lists', 'road'): recommend(fit(ALS(20, n_epochs=2), r, bar=False).model, r, n=3)
        if name=='sgd': fit(DotProductBias(r.n_users, r.n_items, 20, y_range='auto'), r, 1, solver='sgd', bar=False)

def build(csv, folder):
    from collab_lesson.all import Ratings
    r = Ratings.build(csv, folder, item='movie', overwrite=True)
    return dict(bytes_a_rating=r.nbytes/len(r))

def opened(folder):
    from collab_lesson.all import Ratings
    Ratings.open(folder).seen(1)

def first_batch(csv): # arrays in memory to the first batch
    import pandas as pd
    from collab_lesson.all import Ratings
    from collab_lesson.speed import peak_mb, timed
    df = pd.read_csv(csv, dtype=dict(user=np.int32, movie=np.int32, rating=np.float32))
    before = peak_mb()
    _, wall, cpu = timed(lambda: next(iter(Ratings(df, item='movie').dls(8192, device='cpu').train)))
    return dict(cpu=cpu, wall=wall, mb=peak_mb()-before)

def als(folder, k, n=3):
    from collab_lesson.all import ALS, Ratings, fit
    run = fit(ALS(int(k), n_epochs=int(n)), Ratings.open(folder), bar=False)
    return dict(rounds=int(n))

def sgd(folder, k, n=4):
    from collab_lesson.all import DotProductBias, Ratings, fit, timed
    r = Ratings.open(folder)
    model = DotProductBias(r.n_users, r.n_items, int(k), y_range='auto')
    one, many = (timed(lambda: fit(model, r, e, solver='sgd', bar=False))[2] for e in (1, int(n)))
    return dict(first=one, epoch=(many-one)/(int(n)-1)) # the first one sorts

def lists(folder, k):
    from collab_lesson.all import ALS, Ratings, fit, recommend, timed
    r = Ratings.open(folder)
    model = fit(ALS(int(k), n_epochs=1), r, bar=False).model
    users = r.user_names.index[:10_000]
    df, wall, cpu = timed(lambda: recommend(model, r, users, n=10))
    return dict(lists=df.user.nunique(), lists_wall=wall, lists_cpu=cpu)

def ease(folder):
    from collab_lesson.all import EASE, Ratings, fit
    r = Ratings.open(folder)
    run = fit(EASE(), r, bar=False)
    return dict(items=r.n_items, fit=run.seconds)

def road(csv, folder):
    "CSV → lists for 10,000 users by ALS k=20, held-out RMSE"
    from collab_lesson.all import ALS, Ratings, evaluate, fit, recommend
    from collab_lesson.dot_product import score_pairs
    import torch
    t = [time.perf_counter()]
    def mark(): t.append(time.perf_counter()); return round(t[-1]-t[-2], 2)
    r = Ratings.build(csv, f'{folder}/all', item='movie', overwrite=True); s = dict(build=mark())
    train, valid = r.split(share=.01, folder=f'{folder}/parts'); s['split'] = mark()
    model = fit(ALS(20, n_epochs=8), train, bar=False).model; s['fit'] = mark()
    x = torch.stack([torch.from_numpy(np.array(o)).long() for o in (valid.users, valid.items)], 1)
    rmse = float(((score_pairs(model, x).numpy()-valid.values)**2).mean()**.5); s['rmse'] = mark()
    df = recommend(model, train, train.user_names.index[:10_000], n=10); s['lists'] = mark()
    return dict(steps=s, rmse=rmse, held_out=len(valid), lists=df.user.nunique())

def batch(n, folder):
    "Validation loss of `fit` by batch size and rate, on a tenth of the ratings held out"
    import torch
    from fastai.torch_core import set_seed
    from collab_lesson.all import DotProductBias, Ratings, fit
    from collab_lesson.scale import batch_and_rate
    n, rows = int(n), []
    r = Ratings.open(folder)
    train, valid = r.split(share=.1, seed=1)
    for bs in (4096, 16384) if n<=10**6 else (8192,):
        rule = .005*(6250/(5*len(train)/bs))**.5
        for lr in (rule/2, rule, rule*2, .005):
            set_seed(1)
            model, start = DotProductBias(r.n_users, r.n_items, 20, y_range='auto'), time.process_time()
            loss = fit(model, train, 5, lr, .1, bs=bs, valid=valid, bar=False).valid_loss
            rows.append(dict(bs=bs, lr=lr, loss=loss, cpu=time.process_time()-start))
            print(rows[-1], file=sys.stderr, flush=True)
    return dict(rows=rows, rule=batch_and_rate(train, 20, 5))

def shards(folder, n, n_epoch=2, bs=2**16):
    import torch
    from fastai.torch_core import set_seed
    from collab_lesson.all import DotProductBias, Ratings
    from collab_lesson.scale import fit_shards
    r = Ratings.open(folder)
    set_seed(1)
    run = fit_shards(DotProductBias(r.n_users, r.n_items, 20, y_range='auto'), r, int(n_epoch), bs=int(bs), n_processes=int(n), n_shards=2, timeout=300)
    return dict(epochs=run.epochs.drop(columns='valid_loss').to_dict('records'))

def plain(folder, kind, n, steps=None, n_epoch=1, bs=8192):
    "DistributedDataParallel or Accelerate on the lesson's model, dense gradients"
    from collab_lesson.all import Ratings
    from collab_lesson.scale import launch
    with tempfile.TemporaryDirectory() as tmp:
        job = dict(kind=kind, data=str(folder), folder=tmp, k=20, bs=int(bs), lr=.005, wd=.1, n_epoch=int(n_epoch), seed=1, y_range=[.5, 5.5], device='cpu', timeout=300, steps=steps and int(steps))
        launch(job, int(n), dict(ACCELERATE_USE_CPU='true') if kind=='accelerate' else {})
        return dict(epochs=json.loads((Path(tmp)/'log.json').read_text()))

@call_parse
def main(
    what:str='sizes', # comma-separated: sizes, again, batch, batch7, plain, shards, als64, ease, road
    only:str=None, args:str='[]', # internal: one step
    tmp:str=None, # folder for data; default: a temporary one
    most:int=10**7, # largest size
):
    if only: return measured_step(only, json.loads(args))
    with tempfile.TemporaryDirectory() as d:
        d = Path(tmp or d)
        what = what.split(',')
        if 'sizes' in what:
            rows = []
            for n in [o for o in sizes if o<=most]:
                csv, folder, row = csv_of(n, d), d/f'r{n}', dict(n=n, users=sizes[n][0], items=sizes[n][1], csv_mb=csv_of(n, d).stat().st_size/2**20)
                row['build'] = step('build', csv, folder)
                row['open'] = step('opened', folder)
                row['ALS'] = step('als', folder, 20)
                row['SGD'] = step('sgd', folder, 20)
                row['lists'] = step('lists', folder, 20)
                if n<=10**7: row['first batch'] = step('first_batch', csv)
                rows.append(row)
                note(sizes=rows)
        if 'again' in what: # two steps of 'sizes'
            rows = json.loads(out.read_text())['sizes']
            for o in rows:
                o['open'], o['SGD'] = step('opened', d/f'r{o["n"]}'), step('sgd', d/f'r{o["n"]}', 20)
                note(sizes=rows)
        if 'batch' in what: note(batch=step('batch', 10**6, d/f'r{10**6}'))
        if 'batch7' in what: note(batch7=step('batch', 10**7, d/f'r{10**7}'))
        if 'plain' in what: note(plain={f'{kind} {n}': step('plain', d/f'r{10**6}', kind, n) for kind in ('ddp', 'accelerate') for n in (1, 2)})
        if 'tale' in what: note(tale={f'ddp {n}': step('plain', d/f'r{most}', 'ddp', n, 100) for n in (1, 2)})
        if 'shards' in what: note(shards={f'{m} {n}': step('shards', d/f'r{m}', n) for m in (10**6, most) for n in (1, 2)})
        if 'als64' in what: note(als64=step('als', d/f'r{10**7}', 64))
        if 'ease' in what: note(ease=step('ease', d/f'r{10**7}'))
        if 'road' in what: note(road=dict(n=most, **step('road', csv_of(most, d), d/'road')))
