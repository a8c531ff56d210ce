"""The book's models beside other libraries: one task for all, every system in a process of its own, one thread each.

`make bench` runs this. It installs the peers into .venv-bench, tunes every system on ratings taken from the training
part (the same number of settings for all), measures, and writes comparison.json, comparison.md and comparison.png.
"""
import json, os, pickle, platform, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock, Thread, Timer

import numpy as np, pandas as pd
from fastcore.script import call_parse

here = Path(__file__).parent
sys.path.insert(0, str(here))
import peers

# ---- What each system may choose from. A system that is not listed has nothing to tune, or keeps the notes' recipe.

rating_spaces = {
    'bias baseline': dict(damping=[.5,1,2,3,4,5,6,8,10,15,25,50]),
    'DotProductBias, tuned': dict(n_factors=[20,50,100], bs=[256,512,1024], lr=[5e-3,1e-2,2e-2], wd=[.1,.2,.3,.5], n_epoch=[5,8]),
    'CollabNN': dict(n_factors=[50,75,100], bs=[128,256,512], lr=[5e-3,1e-2], wd=[.01,.1,.3], n_epoch=[5,8]),
    'ALS': dict(n_factors=[10,20,40], reg=[5.33,8.,10.66,14.21], reg_bias=[1.,3.,6.], n_epochs=[5,10,20]),
    'BayesianMF': dict(n_factors=[5,8,10,12,16], noise_df=[5.,10.,None], n_sweeps=[100,200], burn=[20]),
    'BayesianMF, side information': dict(n_factors=[6,8,10,12,16], noise_df=[5.,10.,None], n_sweeps=[60,100], burn=[12]),
    'Surprise BaselineOnly': dict(reg_u=[5,10,15,20], reg_i=[2,5,10], n_epochs=[5,10,20]),
    'Surprise SVD': dict(n_factors=[20,50,100], n_epochs=[20,40,60], lr_all=[.005,.01], reg_all=[.05,.1,.15]),
    'Surprise SVD++': dict(n_factors=[10,20], n_epochs=[10,20], lr_all=[.007,.01,.015], reg_all=[.03,.05,.1]),
    'Surprise KNNBaseline': dict(k=[20,40,80], shrinkage=[20,50,100,200], min_support=[1,3]),
    'cmfrec CMF': dict(k=[10,20,40,60], lambda_=[6.,9.,12.,16.], niter=[10,20], add_implicit_features=[False,True]),
    'myFM': dict(rank=[4,6,8,10,12,16], n_iter=[100,200]),
    'myFM, side information': dict(rank=[4,6,8,10,12,16], n_iter=[60,100]),
    'LensKit Bias': dict(damping=[.5,1,2,3,4,5,6,8,10,15,25,50]),
    'LensKit BiasedMF': dict(embedding_size=[10,20,40], regularization=[.05,.1,.2,.3], epochs=[5,10,20], damping=[5,10]),
    'LensKit ItemKNN': dict(max_nbrs=[20,40,80], min_nbrs=[1,2,5], min_sim=[1e-6,.05,.1]),
}
ranking_spaces = {
    'BPR': dict(n_factors=[32,64,128], n_epoch=[10,20], lr=[.01,.03], wd=[.2,.4,.8]),
    'EASE': dict(reg=[10.,50.,100.,200.,400.], dropout=[0.,.5,.75,.9]),
    'implicit ALS': dict(factors=[16,32,64,128], regularization=[.01,1.,10.,30.], alpha=[1.,5.,10.,40.], iterations=[10,20], stars=[False,True]),
    'implicit BPR': dict(factors=[32,64,128], learning_rate=[.01,.03,.1], regularization=[.001,.01,.05], iterations=[50,100,200], stars=[False]),
    'implicit cosine': dict(K=[20,50,100,200,500,1682], stars=[False,True]),
    'implicit BM25': dict(K=[20,50,100,200,500], K1=[.5,1.2,2.,5.], B=[.2,.5,.75,.9], stars=[False,True]),
    'cmfrec CMF_implicit': dict(k=[10,20,40], lambda_=[1.,5.,10.,30.], alpha=[1.,5.,10.,40.], stars=[False,True]),
    'LensKit ImplicitMF': dict(embedding_size=[16,32,64], regularization=[.05,.1,.5,2.], weight=[5.,10.,20.,40.], epochs=[10,20]),
    'LensKit ItemKNN': dict(max_nbrs=[20,50,100,200,500,1682], min_nbrs=[1,2]),
}
same_as = {'BayesianMF, 20 sweeps': 'BayesianMF', 'BayesianMF, 40 sweeps': 'BayesianMF', 'myFM, 40 sweeps': 'myFM', 'EASE, both sides': 'EASE',
           'BayesianMF, side information, 40 sweeps': 'BayesianMF, side information', 'myFM, side information, 40 sweeps': 'myFM, side information'}  # settings found for the other, not tuned itself
once = {'fastai collab_learner'}  # too slow for more than one seed
notes = {'DotProduct', 'DotProductWithRange', 'DotProductBias', 'fastai collab_learner'}  # not repeated on u1…u5

def install(venv):
    "The peers' environment; {requirement: None, or why it did not install}"
    python, done = venv/('Scripts/python.exe' if os.name=='nt' else 'bin/python'), venv/'installed.json'
    req = here/'requirements.txt'
    if done.exists() and done.stat().st_mtime>req.stat().st_mtime: return python, json.loads(done.read_text())
    if not python.exists(): subprocess.run([sys.executable, '-m', 'venv', venv], check=True)
    res = {}
    for line in req.read_text().splitlines():
        if not line or line.startswith('#'): continue
        print(f'installing {line}', flush=True)
        p = subprocess.run([python, '-m', 'pip', 'install', '-qq', '--disable-pip-version-check', line, '-c', req], capture_output=True, text=True)
        why = [o for o in p.stderr.splitlines() if o.startswith('ERROR')] or p.stderr.splitlines()[-1:] or ['no message']
        res[line] = why[-1] if p.returncode else None
    done.write_text(json.dumps(res))
    return python, res

class Processes:
    "A `run` for `compare` that gives each system a process of its own, and kills one that takes too long"
    def __init__(self, python, limit=900): self.python, self.limit, self.procs, self.lock = python, limit, {}, Lock()

    def get(self, side, name, kind):
        with self.lock:
            p,lock = self.procs.get((side, name, kind), (None, Lock()))
            if p is None or p.poll() is not None:
                cmd = [self.python if side=='peers' else sys.executable, here/'worker.py', side, name]
                p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                Thread(target=self.listen, args=(p, name), daemon=True).start()
                self.procs[side, name, kind] = p,lock
            return p,lock

    def listen(self, p, name):
        p.last = ''
        for line in p.stderr:
            p.last = line.strip() or p.last
            if line.startswith('warm-up'): print(line, end='', flush=True)

    def __call__(self, name, side, task, seed, settings):
        from collab_lesson.comparison import task_arrays
        p,lock = self.get(side, name, hasattr(task, 'k'))
        with lock, tempfile.TemporaryDirectory() as tmp:
            if side=='book': Path(tmp, 'task.pkl').write_bytes(pickle.dumps(task))
            else: np.savez(f'{tmp}/task.npz', **vars(task_arrays(task)))
            timer = Timer(self.limit, p.kill)
            timer.start()
            try:
                print(json.dumps(dict(folder=tmp, seed=seed, settings=settings)), file=p.stdin, flush=True)
                res = json.loads(p.stdout.readline())
            except (OSError, ValueError): return None, dict(error=f'stopped, or took more than {self.limit} s: {p.last}')
            finally: timer.cancel()
            if 'error' in res: return None, res
            answer = np.load(f'{tmp}/answer.npy')
            return (answer+1 if side=='peers' and hasattr(task, 'k') else answer), res # lists: row 0 is nobody's item here

    def close(self):
        for p,_ in self.procs.values(): p.stdin.close(); p.wait(10)
        self.procs = {}

def markdown(df):
    "A DataFrame as a Markdown table"
    cells = [['', *df.columns]] + [[str(i), *('' if pd.isna(v) else v if isinstance(v, str) else f'{v:.4g}' for v in r)] for i,r in zip(df.index, df.to_numpy(dtype=object))]
    lines = ['| ' + ' | '.join(map(str, o)) + ' |' for o in cells]
    return '\n'.join([lines[0], '|' + '---|'*len(cells[0]), *lines[1:]])

@call_parse
def main(
    out:str='runs',          # folder for comparison.json, comparison.md and comparison.png
    venv:str='.venv-bench',  # where the peers are, or will be, installed
    n:int=12,                # settings to try for each system
    seeds:int=3,             # runs of each system on the random split and the ranking task
    jobs:int=1,              # processes at a time, for tuning
    timing_jobs:int=1,       # processes at a time, for the runs that are reported
    only:str='',             # names, with | between them: leave out all other systems
    canonical:int=5,         # how many of u1…u5, if the files are there
    settings:str=''          # a comparison.json whose settings to use instead of tuning
):
    "Compare the book's models with other libraries"
    from collab_lesson.comparison import compare, draw_settings, make_task, movielens_features, plot_pareto, ranking_systems, rating_systems, summarize
    from collab_lesson.movielens import load_split, movielens
    from collab_lesson.ratings import split_ratings
    from collab_lesson.ranking import stratified_split
    python, installed = install(Path(venv).absolute())
    for req,why in installed.items():
        if why: print(f'{req} did not install: {why}')
    run, began = Processes(python), time.perf_counter()
    ratings = movielens()
    features, table = movielens_features(ratings), ratings.to_frame()
    def task(rows, **kwargs): return make_task(*(ratings[o] for o in rows), **kwargs)
    kinds = {'rating': ({o: 'book' for o in rating_systems(stock=True)} | {o: 'peers' for o in peers.rating_systems}, rating_spaces, 'RMSE'),
             'ranking': ({o: 'book' for o in ranking_systems()} | {o: 'peers' for o in peers.ranking_systems}, ranking_spaces, 'nDCG')}
    def wanted(systems): return {o: w for o,w in systems.items() if not only or o in only.split('|')}

    def measure(systems, task, answers, seeds, settings, n_jobs):
        "As `compare`, with `n_jobs` processes at a time; systems take turns"
        one = lambda o: compare({o[1]: systems[o[1]]}, task, answers, [o[0]], settings, run)
        with ThreadPoolExecutor(n_jobs) as pool:
            return pd.concat(pool.map(one, [(s, o) for s in seeds for o in systems if s==seeds[0] or o not in once]), ignore_index=True)

    # the splits
    train_rows, valid_rows = split_ratings(ratings)
    lists = stratified_split(table)
    def inner(split, rows): a,b = split(table.iloc[rows], seed=1); return rows[a], rows[b]
    tasks = {'rating': {'random': task((train_rows, valid_rows), features=features)},
             'ranking': {'lists': task(lists, k=10)}}
    for name in [f'u{i+1}' for i in range(canonical)]:
        try: tasks['rating'][name] = task(load_split(name), features=features)
        except (FileNotFoundError, ValueError) as e: print(f'{name} is not there: {e}')
    practice = {'rating': task(inner(split_ratings, train_rows), features=features),
                'ranking': task(inner(stratified_split, lists[0]), k=10)}

    # tuning, on ratings of the training part only
    best, tried = {}, []
    if settings: best, tried = (json.loads(Path(settings).read_text())[o] for o in ('settings','tried'))
    for kind,(systems,spaces,metric) in kinds.items():
        if settings: break
        best[kind], trials = {}, [(o, s) for o,w in wanted(systems).items() if o in spaces for s in draw_settings(spaces[o], n)]
        def trial(o): return compare({o[0]: systems[o[0]]}, *practice[kind], [0], {o[0]: o[1]}, run).iloc[0]
        with ThreadPoolExecutor(jobs) as pool: results = list(pool.map(trial, trials))
        for (name,s),r in zip(trials, results):
            tried.append(dict(kind=kind, system=name, settings=s, score=r.get(metric), seconds=r.get('fit_s'), error=r.get('error')))
        run.close() # the runs that are reported get fresh processes
        df = pd.DataFrame([o for o in tried if o['kind']==kind and o['score'] is not None and np.isfinite(o['score'])])
        for name,g in df.groupby('system', sort=False) if len(df) else []:
            best[kind][name] = g.loc[g.score.idxmin() if metric=='RMSE' else g.score.idxmax()].settings
            print(f'{name:30} {metric} {g.score.min() if metric=="RMSE" else g.score.max():.4f} {best[kind][name]} ({time.perf_counter()-began:.0f} s)', flush=True)
    run.close()
    for kind in best: best[kind] |= {o: best[kind][s] for o,s in same_as.items() if s in best[kind]}

    # the runs that count; what is there is written after each task
    folder, rows, done = Path(out), [], []
    folder.mkdir(parents=True, exist_ok=True)
    import fastai, matplotlib.pyplot as plt, torch
    info = dict(python=platform.python_version(), torch=torch.__version__, fastai=fastai.__version__, cores=os.cpu_count(), threads=1, jobs=timing_jobs,
                budget=n, seeds=seeds, installed=installed)
    order = [('rating','random'), ('ranking','lists'), *(('rating',o) for o in tasks['rating'] if o!='random')]
    for kind,name in order:
        systems, first = kinds[kind][0], name in ('random','lists')
        which = {o: w for o,w in wanted(systems).items() if first or o not in notes}
        if not which: continue
        # tuning found no settings: every try failed. Say what it said, rather than what it says without settings
        why = {o: next((r['error'] for r in tried if r['system']==o and r['kind']==kind and r['error']), 'no settings') for o in which
               if same_as.get(o, o) in kinds[kind][1] and o not in best[kind]}
        which = {o: w for o,w in which.items() if o not in why}
        df = measure(which, *tasks[kind][name], list(range(1, seeds+1)) if first else [1], best[kind], timing_jobs)
        df = pd.concat([df, pd.DataFrame([dict(system=o, seed=1, error=e) for o,e in why.items()])], ignore_index=True)
        done.append(df.assign(kind=kind, split=name, side=df.system.map(systems)))
        info['minutes'] = round((time.perf_counter()-began)/60, 1)
        rows += [{k: v for k,v in o.items() if not (isinstance(v, float) and np.isnan(v))} for o in done[-1].to_dict('records')]
        (folder/'comparison.json').write_text(json.dumps(dict(info=info, settings=best, tried=tried, rows=rows), indent=1))
        print(f'### {name}\n\n{markdown(summarize(done[-1]))}\n\n(after {info["minutes"]} minutes)', flush=True)
    run.close()
    (folder/'comparison.md').write_text('\n\n'.join(f'### {o["split"].iloc[0]}\n\n{markdown(summarize(o))}' for o in done)+'\n', encoding='utf-8')
    df = pd.concat(done, ignore_index=True)
    fig,axs = plt.subplots(2, 1, figsize=(10, 12), layout='constrained')
    for ax,split,metric in zip(axs, ('random','lists'), ('RMSE','nDCG')):
        if (df['split']==split).any(): plot_pareto(df[df['split']==split], metric, ax)
    fig.savefig(folder/'comparison.png', dpi=120)
    print(f'Written: {folder}/comparison.json, .md and .png, after {info["minutes"]} minutes')
