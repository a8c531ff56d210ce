"""Seconds and peak memory of the library's road: `Ratings`, `fit`, `recommend`, at 10⁵, 10⁶ and 10⁷ ratings, and all lists.

Each size runs in a process of its own, with one thread, on random ratings that another process has drawn. Memory is
counted above that of the libraries, and without what the model needs (weights, gradients and two averages of each). The
table that the ratings come from (12 bytes each) is counted until `Ratings` has read it. Prints tables, writes
runs/ratings_cost.json.
"""
import json, os, platform, statistics, subprocess, sys, tempfile
from pathlib import Path

import numpy as np
from fastcore.script import call_parse
from collab_lesson.speed import peak_mb, random_ratings, timed

items_of = {10**5: 2000, 10**6: 5000, 10**7: 10_677} # about as many as MovieLens 100K, 1M and 10M have
mb = 2**20

def road(df, n_lists=1000, n_factors=20, bs=8192):
    "Seconds of each stage, and the peak memory of the process (MB) when it was done"
    from collab_lesson.bias import DotProductBias
    from collab_lesson.ranking import recommend
    from collab_lesson.ratings import Ratings
    from collab_lesson.training import fit
    seconds, peaks = {}, {}
    def stage(name, f):
        res, seconds[name], _ = timed(f)
        peaks[name] = peak_mb()
        return res
    r = stage('Ratings', lambda: Ratings(df.pop()))
    stage('batches', lambda: sum(len(y) for _,y in r.dls(bs, device='cpu').train))
    model = DotProductBias(r.n_users, r.n_items, n_factors)
    run = stage('fit', lambda: fit(model, r, 1, bs=bs, bar=False, device='cpu'))
    if run.interrupted: raise KeyboardInterrupt
    lists = stage('recommend', lambda: recommend(model, r, r.user_names.index[:n_lists], n=10))
    model_mb = 4*sum(o.nbytes for o in model.parameters())/mb
    return dict(users=r.n_users-1, items=r.n_items-1, lists=len(lists)//10, seconds=seconds, peaks=peaks, model_mb=model_mb)

def all_lists(df, n_factors=64):
    "Seconds for the top 10 of every user with random weights, and the peak memory of the process"
    from collab_lesson.bias import DotProductBias
    from collab_lesson.ranking import recommend
    from collab_lesson.ratings import Ratings
    r = Ratings(df.pop())
    model = DotProductBias(r.n_users, r.n_items, n_factors)
    df, seconds, _ = timed(lambda: recommend(model, r, n=10))
    return dict(users=r.n_users-1, items=r.n_items-1, ratings=len(r), n_factors=n_factors, lists=len(df)//10, seconds=seconds, peak_mb=peak_mb())

def measure(what, file):
    "Run one of the functions above in this process, after a warm-up; print JSON"
    import pandas as pd, torch
    torch.set_num_threads(1)
    globals()[what]([random_ratings(5000, 100, 100)])
    before = peak_mb()
    with np.load(file) as z: df = [pd.DataFrame({k: z[k] for k in z}, copy=False)] # a list, so that nobody else holds it
    print(json.dumps(dict(globals()[what](df), before_mb=before)))

def elsewhere(what, n_ratings, n_users, n_items):
    "`measure` in a process of its own"
    with tempfile.TemporaryDirectory() as tmp:
        file = f'{tmp}/ratings.npz'
        df = random_ratings(n_ratings, n_users, n_items)
        np.savez(file, **{k: df[k].to_numpy() for k in df})
        del df
        cmd = [sys.executable, __file__, '--only', what, '--file', file]
        env = {**os.environ, 'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'}
        return json.loads(subprocess.run(cmd, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout.splitlines()[-1])

def machine():
    "What the numbers were measured on"
    import torch
    model = platform.processor()
    try: model = next(o.partition(':')[2].strip() for o in open('/proc/cpuinfo') if o.startswith('model name'))
    except (OSError, StopIteration): pass # not Linux
    return dict(cores=os.cpu_count(), cpu=model, system=platform.system(), python=platform.python_version(), torch=torch.__version__,
                numpy=np.__version__, threads=1)

def importing(n=3):
    "Seconds of a process that does nothing but import the library (median), and of one that does nothing"
    def once(code): return timed(lambda: subprocess.run([sys.executable, '-c', code], check=True))[1]
    once('import collab_lesson.all') # from now on the files are in memory
    return {k: statistics.median(once(code) for _ in range(n)) for k,code in [('seconds', 'import collab_lesson.all'), ('python_s', '')]}

@call_parse
def main(
    sizes:str='100000 1000000 10000000', # numbers of ratings
    users:int=138_000, items:int=27_000, # of the lists for everybody; 20 ratings each
    out:str='runs',  # folder for ratings_cost.json
    only:str=None, file:str=None # (used by the script itself: measure one thing in this process)
):
    "Measure what ratings cost: memory and seconds of Ratings, fit and recommend; all lists; the import"
    if only: return measure(only, file)
    rows = []
    print(f'{"ratings":>10} {"users":>7} {"items":>7} |{"seconds:":>9} {"Ratings":>8} {"batches":>8} {"fit":>8} {"recommend":>9} |'
          f'{"MB above libraries and model:":>30} {"Ratings":>8} {"fit":>8} {"recommend":>9} {"bytes a rating":>15}')
    for n in map(int, sizes.split()):
        r = elsewhere('road', n, max(700, n//140), items_of.get(n, 2000))
        above = {k: v - r['before_mb'] - r['model_mb']*(k in ('fit', 'recommend')) for k,v in r['peaks'].items()}
        rows.append(dict(ratings=n, **r, above_mb=above, bytes_a_rating=max(above.values())*mb/n))
        s = r['seconds']
        print(f'{n:10,} {r["users"]:7,} {r["items"]:7,} |{"":9} {s["Ratings"]:8.2f} {s["batches"]:8.2f} {s["fit"]:8.2f} {s["recommend"]:9.2f} |'
              f'{"":30} {above["Ratings"]:8.1f} {above["fit"]:8.1f} {above["recommend"]:9.1f} {rows[-1]["bytes_a_rating"]:15.1f}', flush=True)
    slopes = [(max(b['above_mb'].values()) - max(a['above_mb'].values()))*mb/(b['ratings']-a['ratings']) for a,b in zip(rows, rows[1:])]
    if slopes: print('bytes for each further rating, from size to size:', ', '.join(f'{o:.1f}' for o in slopes))
    lists = elsewhere('all_lists', users*20, users, items)
    print(f'all lists: {lists["users"]:,} users × {lists["items"]:,} items, {lists["n_factors"]} factors: {lists["seconds"]:.0f} s, '
          f'peak {lists["peak_mb"]:.0f} MB (libraries: {lists["before_mb"]:.0f} MB)', flush=True)
    imports = importing()
    print(f'import collab_lesson.all: {imports["seconds"]:.2f} s (Python alone: {imports["python_s"]:.2f} s)')
    file = Path(out)/'ratings_cost.json'
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dict(machine=machine(), rows=rows, bytes_for_each_further_rating=slopes, lists=lists, imports=imports), indent=1)+'\n')
    print(f'Written: {file}')
