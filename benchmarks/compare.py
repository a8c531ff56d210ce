"""The book's models beside other libraries: one task for all, the same budget for all, one thread each.

`make bench` runs this. It installs the peers into .venv-bench, tunes every system on an inner part of the training
ratings (`search` of chapter 23, which is `tune` of chapter 15), measures the chosen settings on the test part, and writes
comparison.json. Each finished job is a line of jobs.jsonl, with its answer beside it: a second start goes on where the
first one ended, and `--only_report` writes the results of what is there. Copy comparison.json to nbs/results to show it.
"""
import hashlib, inspect, json, os, pickle, platform, subprocess, sys, time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread, Timer

import numpy as np, pandas as pd
from fastcore.script import call_parse
from scipy.stats import loguniform

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))
import peers

# ---- What each system may choose from, and the settings that it starts with

@dataclass
class Entry:
    "A system that takes part"
    library: str           # a process for each; 'book' and 'fastai' run where the book does
    kind: str              # 'stars' or 'lists'
    space: dict = field(default_factory=dict)
    start: tuple = ({},)   # settings to try first: defaults, the documentation, an outside measurement
    side: bool = False     # does it need side information?
    chance: bool = True    # does the seed matter?
    tasks: tuple = None    # only these; default: all of its kind

    @property
    def ours(self): return self.library=='book'

log = loguniform
entries = {
    # the book's, stars
    'damped biases': Entry('book', 'stars', dict(reg_user=[2,4,8,12,16], reg_item=[1,2,4,6,10], n_rounds=[1,3,10]), chance=False),
    'DotProductBias, SGD': Entry('book', 'stars',
        dict(n_factors=[8,16,24,32,50], n_epoch=[2,3,5,8,13,20,40], lr=log(.01, .07), wd=log(.02, .4)),
        (dict(n_factors=16, n_epoch=5, lr=.05, wd=.04), dict(n_factors=24, n_epoch=13, lr=.043, wd=.14))),
    'DotProductBias, adaptive SGD': Entry('book', 'stars',
        dict(n_factors=[8,16,32,64], n_epoch=[3,5,10,20,40], lr=log(.04, .2), wd=log(.03, .3)), (dict(n_factors=32),)),
    'DotProductBias, batches': Entry('book', 'stars',
        dict(n_factors=[20,50,100], bs=[256,512,1024,2048,4096], lr=[5e-3,1e-2,2e-2,4e-2], wd=[.1,.2,.3,.4,.5], n_epoch=[3,5,8]),
        (dict(n_factors=50, bs=2048, n_epoch=3, lr=.02, wd=.4),)),
    'ALS': Entry('book', 'stars', dict(n_factors=[5,8,10,20,40], reg=log(4, 20), reg_bias=[1.,3.,6.], n_epochs=[2,3,5,10,20]),
                 ({}, dict(n_factors=8, n_epochs=3))),
    'StarKNN': Entry('book', 'stars', dict(side=['item','user'], k=[20,40,80], shrinkage=[50.,100.,200.], power=[1.,2.,3.], level=[.01,.1,.5]), chance=False),
    'BayesianMF': Entry('book', 'stars', dict(n_factors=[5,8,10,12,16], noise_df=[5.,10.,None], n_sweeps=[20,40,100,200], burn=[.1,.2,.5]),
                        (dict(n_sweeps=40, burn=.2),)),
    'BayesianMF, side information': Entry('book', 'stars', dict(n_factors=[6,8,10,12,16], noise_df=[5.,10.,None], n_sweeps=[20,40,100,200], burn=[.1,.2,.5]),
                                          (dict(n_sweeps=40, burn=.2),), side=True),
    # others', stars
    'LIBMF': Entry('libmf', 'stars', dict(k=[8,16,32,50,64,100], nr_iters=[3,5,6,10,20,40], reg=log(.02, .2), eta=log(.04, .3)),
                   (dict(k=50, nr_iters=5, reg=.05, eta=.1), dict(k=32, nr_iters=6, reg=.032, eta=.096)), chance=False),
    'Surprise BaselineOnly': Entry('surprise', 'stars', dict(reg_u=[5,10,15,20], reg_i=[2,5,10], n_epochs=[5,10,20]), chance=False),
    'Surprise SVD': Entry('surprise', 'stars', dict(n_factors=[10,20,50,100], n_epochs=[10,20,40,60], lr_all=[.005,.01,.02], reg_all=[.05,.1,.15]),
                          (dict(n_factors=50, lr_all=.01, reg_all=.1, n_epochs=40),)),
    'Surprise SVD++': Entry('surprise', 'stars', dict(n_factors=[10,20], n_epochs=[10,20], lr_all=[.007,.01,.015], reg_all=[.03,.05,.1]), tasks=('random',)),
    'Surprise KNNBaseline': Entry('surprise', 'stars', dict(k=[20,40,80], shrinkage=[20,50,100,200], min_support=[1,3]), chance=False, tasks=('random', 'FilmTrust, stars')),
    'cmfrec CMF': Entry('cmfrec', 'stars', dict(k=[8,20,40,60], lambda_=log(4, 20), niter=[3,5,10,20], add_implicit_features=[False,True]),
                        (dict(k=40, lambda_=12.), dict(k=40, lambda_=9., add_implicit_features=True))),
    'cmfrec CMF, side information': Entry('cmfrec', 'stars',
        dict(k=[8,20,40,60], lambda_=log(4, 20), niter=[5,10,20], add_implicit_features=[False,True], w_user=[.1,.5,1.], w_item=[.1,.5,1.]),
        (dict(k=40, lambda_=12., add_implicit_features=True),), side=True),
    'myFM': Entry('myfm', 'stars', dict(rank=[4,6,8,10,12,16], n_iter=[20,40,100,200], burn=[.1,.2,.5]),
                  (dict(rank=10, n_iter=100, burn=.1), dict(rank=10, n_iter=20, burn=.5))),
    'myFM, ordinal': Entry('myfm', 'stars', dict(rank=[4,6,8,10,12,16], n_iter=[20,40,100,200], burn=[.1,.2,.5]), (dict(rank=10, n_iter=100, burn=.1),)),
    'myFM, side information': Entry('myfm', 'stars', dict(rank=[4,6,8,10,12,16], n_iter=[20,40,100,200], burn=[.1,.2,.5]),
                                    (dict(rank=10, n_iter=40, burn=.5),), side=True),
    'myFM, ordinal, side information': Entry('myfm', 'stars', dict(rank=[4,6,8,10,12,16], n_iter=[20,40,100,200], burn=[.1,.2,.5]),
                                             (dict(rank=10, n_iter=40, burn=.5),), side=True),
    'LensKit Bias': Entry('lenskit', 'stars', dict(damping=[.5,1,2,3,4,5,6,8,10,15,25,50]), (dict(damping=5),), chance=False),
    'LensKit BiasedMF': Entry('lenskit', 'stars', dict(embedding_size=[10,20,40], regularization=[.05,.1,.2,.3], epochs=[3,5,10,20], damping=[5,10]),
                              (dict(embedding_size=20, regularization=.1, epochs=10),)),
    'LensKit ItemKNN, stars': Entry('lenskit', 'stars', dict(max_nbrs=[20,40,80], min_nbrs=[1,2,5], min_sim=[1e-6,.05,.1]), (dict(max_nbrs=20),), chance=False),
    'fastai': Entry('fastai', 'stars', dict(n_factors=[50,100], bs=[512,1024,2048,4096], lr=[5e-3,1e-2,2e-2], wd=[.2,.3,.4], n_epoch=[3,5,8]),
                    (dict(bs=2048, n_epoch=5, lr=.01, wd=.4),)),
    "fastai, the notes' recipe": Entry('fastai', 'stars', {}, ({},), tasks=('random',)),
    # the book's, lists
    'Popularity': Entry('book', 'lists', {}, chance=False),
    'ListKNN': Entry('book', 'lists', dict(side=['item','user'], k=[20,50,100,200,500], alpha=[.4,.5,.6,.7], power=[1.,1.5,2.], idf=[True,False]), chance=False),
    'SLIM': Entry('book', 'lists', dict(l1=[1.,3.,5.,10.], l2=[50.,100.,200.,400.], n_iter=[5,10,20]), chance=False),
    'EASE': Entry('book', 'lists', dict(reg=log(10, 500), dropout=[0.,.5,.75,.9], weights=['ones','stars']), chance=False),
    'BPR': Entry('book', 'lists', dict(n_factors=[32,64,128], n_epoch=[3,5,10,20], lr=[.01,.03,.06], wd=[.2,.4,.8], bs=[512,2048]), (dict(n_factors=64),)),
    'ALS, implicit': Entry('book', 'lists', dict(n_factors=[16,32,64,128], reg=log(.008, .04), absent=log(.1, 1), alpha=[0.,.3,1.], n_epochs=[2,3,5,10], cg=[0,3]),
                           (dict(n_factors=32, n_epochs=5, absent=.2, reg=.0144), dict(n_factors=128, n_epochs=5, absent=1., alpha=1., reg=.025, cg=3))),
    # others', lists
    'implicit ALS': Entry('implicit', 'lists', dict(factors=[16,32,64,128], regularization=log(.01, 100), alpha=[1.,2.,5.,10.,40.], iterations=[1,2,3,5,10,20], stars=[False,True]),
                          (dict(factors=32, iterations=5, regularization=30., alpha=5.), dict(factors=128, iterations=10, regularization=30., alpha=5., stars=True))),
    'implicit BPR': Entry('implicit', 'lists', dict(factors=[32,64,128], learning_rate=[.01,.03,.1], regularization=[.001,.01,.05], iterations=[20,50,100,200])),
    'implicit cosine': Entry('implicit', 'lists', dict(K=[20,50,100,200,500,1000], stars=[False,True]), chance=False),
    'implicit BM25': Entry('implicit', 'lists', dict(K=[20,50,100,200,500], K1=[.5,1.2,2.,5.], B=[.2,.5,.75,.9], stars=[False,True]), chance=False),
    'cmfrec CMF_implicit': Entry('cmfrec', 'lists', dict(k=[10,20,40], lambda_=[1.,5.,10.,30.], alpha=[1.,5.,10.,40.], niter=[3,5,10], stars=[False,True]),
                                 (dict(k=40, lambda_=10., alpha=5., stars=False),)),
    'LensKit ImplicitMF': Entry('lenskit', 'lists', dict(embedding_size=[16,32,64], regularization=[.05,.1,.5,2.], weight=[5.,10.,20.,40.], epochs=[3,5,10,20])),
    'LensKit ItemKNN': Entry('lenskit', 'lists', dict(max_nbrs=[20,50,100,200,500,1000], min_nbrs=[1,2]), (dict(max_nbrs=20),), chance=False),
}
as_in_book = {'DotProductBias, adaptive SGD': ('DotProductBias, SGD', dict(adaptive=True)), "fastai, the notes' recipe": ('fastai', {})}

# ---- Tasks: each has an inner part, made in the same way from its training part

def random_rows(r, seed):
    from collab_lesson.ratings import split_ratings
    return split_ratings(r, seed=seed)

def stratified_rows(r, seed):
    from collab_lesson.ranking import stratified_split
    return stratified_split(pd.DataFrame(dict(user=r.users)), seed=seed)

def known_rows(by):
    "Of each user's ratings, or of all; only users and items that the training part has"
    def split(r, seed):
        a, b = r._split_rows(by, .2, seed)
        if by=='time': b = b[np.isin(r.users[b], r.users[a]) & np.isin(r.items[b], r.items[a])]
        return a, b
    return split

def canonical_rows(number):
    "u1…u5; the inner part of u1 hides what u2 hides, of its training rows, and so on"
    from collab_lesson.movielens import load_split
    outer = load_split(f'u{number}')
    def split(r, seed):
        if seed==42: return outer
        hidden = np.isin(outer[0], load_split(f'u{number%5+1}')[1])
        return np.flatnonzero(~hidden), np.flatnonzero(hidden)
    return split

def parts(r, split, k=None, features=None):
    "(task, test), and the same of the inner part"
    from collab_lesson.comparison import make_task
    a, b = split(r, 42)
    train = r[a]
    c, d = split(train, 1)
    return make_task(train, r[b], k, features), make_task(train[c], train[d], k, features)

def read_other(folder):
    "name → `Ratings` of the second data sets, of those that are in the folder"
    from collab_lesson.ratings import Ratings
    folder, res = Path(folder), {}
    if (f := folder/'latest-small.ratings.csv').exists():
        df = pd.read_csv(f)
        res['latest-small'] = Ratings(df, *df.columns[:3], time=df.columns[3])
    if (f := folder/'filmtrust.txt').exists():
        df = pd.read_csv(f, sep=r'\s+', header=None, names=['user', 'item', 'rating'])
        res['FilmTrust'] = Ratings(df, repeats='last')
    return res

def all_tasks(names, other):
    "name → function that makes ((task, test), (inner task, inner test)), in the order of the run"
    from collab_lesson.comparison import movielens_features
    from collab_lesson.movielens import movielens
    def with_features(split):
        r = movielens()
        return parts(r, split, None, movielens_features(r))
    made = {'random': lambda: with_features(random_rows), 'u1': lambda: with_features(canonical_rows(1)),
            'time': lambda: parts(movielens(), known_rows('time')), '75/25': lambda: parts(movielens(), stratified_rows, 10),
            'last fifth': lambda: parts(movielens(), known_rows('user'), 10), 'last one': lambda: parts(movielens(), known_rows('last'), 10)}
    for name,o in (read_other(other) if other else {}).items():
        made |= {f'{name}, stars': lambda o=o: parts(o, random_rows), f'{name}, lists': lambda o=o: parts(o, stratified_rows, 10)}
    return {k: made[k] for k in names if k in made} if names else made

# ---- Running

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

def version_of(name):
    "A hash of what a system is: its code, and that of the library behind"
    e, parts = entries[name], []
    if e.library in ('book', 'fastai'):
        from collab_lesson import comparison
        system = comparison.book_systems()[as_in_book.get(name, (name,))[0]]
        folder = Path(comparison.__file__).parent
        if e.ours: parts = [(folder/f'{o}.py').read_bytes() for o in ('als', 'bayesian', 'bias', 'dot_product', 'neighbors', 'ranking', 'ratings', 'speed', 'training')]
        else: import fastai; parts = [fastai.__version__.encode()]
    else:
        system = peers.systems[name]
        wanted = {'surprise': 'scikit-surprise'}.get(e.library, e.library)
        parts = [o.encode() for o in (here/'requirements.txt').read_text().splitlines() if o.startswith(wanted)]
    parts.append(inspect.getsource(system).encode())
    return hashlib.sha256(b'\0'.join(parts)).hexdigest()[:12]

def task_hash(task):
    r = task.train
    parts = r.users, r.items, r.values, *([task.pairs.numpy()] if task.k is None else []), *(task.features or [])
    return hashlib.sha256(b'\0'.join(np.ascontiguousarray(o).tobytes() for o in parts)+str(task.k).encode()).hexdigest()[:16]

class Bench:
    "Runs jobs in a process for each library, and remembers them in a folder"
    def __init__(self, folder, python, limit=600):
        self.folder, self.python, self.limit, self.procs, self.totals = Path(folder), python, limit, {}, {}
        (self.folder/'answers').mkdir(parents=True, exist_ok=True)
        self.file, self.jobs, self.versions, self.hashes = self.folder/'jobs.jsonl', {}, {}, {}
        for line in self.file.read_text().splitlines() if self.file.exists() else []:
            try: job = json.loads(line)
            except ValueError: continue # cut off while it was written
            self.jobs[job['key']] = job

    def process(self, library):
        p = self.procs.get(library)
        if p is None or p.poll() is not None:
            ours = library in ('book', 'fastai')
            cmd = [sys.executable if ours else self.python, here/'worker.py', 'book' if ours else 'peers']
            env = os.environ | dict(OMP_NUM_THREADS='1')
            p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
            p.last = ''
            Thread(target=self.listen, args=(p,), daemon=True).start()
            self.procs[library] = p
        return p

    def listen(self, p):
        for line in p.stderr:
            p.last = line.strip() or p.last
            if line.startswith('warm-up'): print(line, end='', flush=True)

    def file_of(self, task, ours):
        "Where the workers find a task"
        from collab_lesson.comparison import task_arrays
        if id(task) not in self.hashes: self.hashes[id(task)] = task_hash(task), task
        f = self.folder/f'{self.hashes[id(task)][0]}.{"pkl" if ours else "npz"}'
        if not f.exists():
            if ours: f.write_bytes(pickle.dumps(task))
            else: np.savez(f, **task_arrays(task))
        return f

    def run(self, name, task, seed, settings):
        "(answer, cost) of one job, which is done unless it has been; RuntimeError if it failed"
        e = entries[name]
        ours = e.library in ('book', 'fastai')
        file = self.file_of(task, ours)
        version = self.versions.setdefault(name, version_of(name))
        what = json.dumps([file.stem, name, settings, seed, version], sort_keys=True)
        key = hashlib.sha256(what.encode()).hexdigest()[:20]
        saved = self.folder/'answers'/f'{key}.npy'
        if key not in self.jobs or 'error' not in self.jobs[key] and not saved.exists():
            res = self.ask(e.library, dict(task=str(file), seed=seed, answer=str(saved), **self.asked(name, settings)))
            self.jobs[key] = dict(key=key, task=file.stem, system=name, settings=settings, seed=seed, version=version) | res
            if res.get('error')=='not run': raise RuntimeError(self.jobs.pop(key)['error'])
            with self.file.open('a') as f: f.write(json.dumps(self.jobs[key])+'\n')
        job = self.jobs[key]
        if 'error' in job: raise RuntimeError(job['error'])
        answer = np.load(saved)
        return (answer+1 if not ours and task.k else answer), job # row 0 is nobody's item in the book

    def asked(self, name, settings):
        system, more = as_in_book.get(name, (name, {}))
        return dict(system=system, settings=settings|more)

    def ask(self, library, job):
        try: p = self.process(library)
        except OSError as e: return dict(error=f'{library} did not start: {e}')
        timer = Timer(self.limit, p.kill)
        timer.start()
        try:
            print(json.dumps(job), file=p.stdin, flush=True)
            return json.loads(p.stdout.readline())
        except (OSError, ValueError): return dict(error=f'stopped, or took more than {self.limit} s: {p.last}')
        finally: timer.cancel()

    def close(self):
        for p in self.procs.values():
            p.stdin.close()
            try: p.wait(10)
            except subprocess.TimeoutExpired: p.kill()
        self.procs = {}

# ---- One task: tune, choose, measure, judge

def takes_part(name, task_name, task, only=(), skip=()):
    e = entries[name]
    if only and name not in only or name in skip or e.tasks and task_name not in e.tasks: return False
    return (e.kind=='lists')==bool(task.k) and (not e.side or task.features is not None)

def measure(bench, name, task, test, settings, seeds, seconds):
    "Totals for each user (mean of the seeds), seconds, score of each seed, coverage and gini of lists"
    from collab_lesson.comparison import Answered, user_totals
    from collab_lesson.evaluation import evaluate
    totals, cost, spent, extra, known = [], [], 0., {}, bench.totals
    for seed in seeds if entries[name].chance else seeds[:3]:
        if cost and spent>seconds: break
        answer, job = bench.run(name, task, seed, settings)
        spent += job['fit_s']+job['predict_s']
        cost.append(job['fit_s']+job['predict_s'])
        if job['key'] not in known:
            res = evaluate(Answered(task, answer), test, task.k) if task.k and len(cost)==1 else {}
            known[job['key']] = user_totals(task, test, answer), {o: float(res[o]) for o in ('coverage', 'gini', 'recall') if o in res}
        totals.append(known[job['key']][0])
        extra |= known[job['key']][1]
    return dict(totals=np.array(totals), seconds=cost, **extra)

def score_of(totals, counts):
    return float(totals.mean()) if counts is None else float((totals.sum()/counts.sum())**.5)

def run_task(bench, task_name, made, budget, seeds, only, skip, clock):
    "Everything about one task, as a dict of lists; what the clock leaves no time for is left out, and said"
    from collab_lesson.comparison import paired, pareto, search, seconds_of_readers, within
    from collab_lesson.evaluation import bootstrap_users
    (task, test), (inner, held) = made
    lower, counts = task.k is None, None
    if lower:
        counts = np.bincount(test.users)
        counts = counts[counts>0]
    grow = len(task.train)/len(inner.train)
    names = [o for o in entries if takes_part(o, task_name, task, only, skip)]
    res = dict(task=dict(task=task_name, metric='RMSE' if lower else 'nDCG', train=len(task.train), inner=len(inner.train), test=len(test),
                         users=len(np.unique(task.train.users)), items=len(np.unique(task.train.items)), test_users=len(np.unique(test.users))),
               trials=[], points=[], failed=[], verdicts=[], against=[])
    chosen = {}
    for name in names:
        if clock(): res['failed'].append(dict(task=task_name, system=name, error='no time left')); continue
        trials = search(name, lambda *args: bench.run(name, *args), inner, held, entries[name].space, entries[name].start, budget)
        res['trials'] += [dict(task=task_name, **o) for o in trials]
        if all(o['score'] is None for o in trials):
            res['failed'].append(dict(task=task_name, system=name, error=next((o['error'] for o in trials if o.get('error')), 'no trial')))
            continue
        for b in seconds_of_readers:
            i = within(trials, b, lower, grow)
            if i is not None: chosen.setdefault((name, i), (trials[i], []))[1].append(b if np.isfinite(b) else None)
        if task_name in goals: # all of the system's own frontier: what is fast enough for the goal may be between the budgets
            done = [i for i,o in enumerate(trials) if o['score'] is not None]
            on = pareto([trials[i]['seconds'] for i in done], [trials[i]['score']*(1 if lower else -1) for i in done])
            for i,o in zip(done, on):
                if o: chosen.setdefault((name, i), (trials[i], []))
    print(f'{task_name}: {len(res["trials"])} trials, {len(chosen)} settings chosen', flush=True)
    # in rounds: every system has its turn before the next seed
    found = {}
    for n in range(1, len(seeds)+1):
        for (name,i),(trial,_) in chosen.items():
            if (name,i) in found and found[name,i] is None: continue
            if clock() and (name,i) in found: continue
            try: found[name,i] = measure(bench, name, task, test, trial['settings'], seeds[:n], budget.seconds)
            except RuntimeError as e:
                found[name,i] = None
                res['failed'].append(dict(task=task_name, system=name, error=str(e)))
    found = {k: v for k,v in found.items() if v is not None}
    users = {k: o['totals'].mean(0) for k,o in found.items()}
    for (name,i),o in found.items():
        trial, budgets = chosen[name,i]
        row = bootstrap_users(pd.Series(users[name,i]), counts).iloc[0]
        if lower: row = row**.5
        each = [score_of(t, counts) for t in o['totals']]
        res['points'].append(dict(
            task=task_name, system=name, side=entries[name].side, **{'from': 'book' if entries[name].ours else 'peers'}, settings=trial['settings'],
            budgets=budgets, inner_score=trial['score'], inner_seconds=trial['seconds'], seeds=len(each), seconds=float(np.median(o['seconds'])),
            value=float(np.mean(each)), sd=float(np.std(each, ddof=1)) if len(each)>1 and entries[name].chance else None,
            low=float(row.low), high=float(row.high), **{k: o[k] for k in ('coverage', 'gini', 'recall') if k in o}))
    best = min if lower else max
    def winner(which, b): # of the inner part
        fits = [(n,i) for n,i in found if which(n) and (b if np.isfinite(b) else None) in chosen[n,i][1]]
        return best(fits, key=lambda o: chosen[o][0]['score']) if fits else None
    for side in (False, True):
        group = lambda n, ours: entries[n].side==side and entries[n].ours==ours
        for b in seconds_of_readers:
            a, c = winner(lambda n: group(n, True), b), winner(lambda n: group(n, False), b)
            row = dict(task=task_name, side=side, budget=b if np.isfinite(b) else None, ours=a and a[0], theirs=c and c[0])
            if a and c: row |= vars(paired(users[a], users[c], counts)) | dict(our_value=score_of(users[a], counts), their_value=score_of(users[c], counts))
            if a or c: res['verdicts'].append(row)
    # every system's best setting, against the best of its group by the inner score
    for side in (False, True):
        top = winner(lambda n: entries[n].side==side, np.inf)
        for (name,i) in found:
            if entries[name].side==side and None in chosen[name,i][1]:
                res['against'].append(dict(task=task_name, system=name, best=top[0], **vars(paired(users[name,i], users[top], counts))))
    return res

goals = {'random': ('RMSE', .8536**.5), '75/25': ('nDCG', .45)}

def to_goal(points):
    "Of each system's measured settings, the fastest that reaches the goal"
    res = []
    for task_name,(metric,goal) in goals.items():
        reach = [o for o in points if o['task']==task_name and (o['value']<=goal if metric=='RMSE' else o['value']>=goal)]
        for name in {o['system'] for o in points if o['task']==task_name}:
            mine = [o for o in reach if o['system']==name]
            if mine: res.append({k: min(mine, key=lambda o: o['seconds'])[k] for k in ('task', 'system', 'from', 'side', 'seconds', 'value', 'settings')})
    return sorted(res, key=lambda o: (o['task'], o['seconds']))

def ten_splits(bench, points, clock, pair=('ALS, implicit', 'implicit ALS'), n=10):
    "Two systems on other 75/25 splits, with the settings that the first has found"
    from collab_lesson.comparison import make_task, user_totals
    from collab_lesson.movielens import movielens
    best = {o['system']: o['settings'] for o in points if o['task']=='75/25' and None in o['budgets']}
    if not all(o in best for o in pair): return []
    r, res = movielens(), []
    for seed in range(1, n+1):
        if clock(): break
        a, b = stratified_rows(r, seed)
        task, test = make_task(r[a], r[b], 10)
        for name in pair:
            answer, job = bench.run(name, task, seed, best[name])
            res.append(dict(split=seed, system=name, value=float(user_totals(task, test, answer).mean()), seconds=job['fit_s']+job['predict_s']))
    return res

def other_folds(bench, points, clock):
    "u2 to u5, with the settings that u1 has found: those have seen some of these test rows"
    from collab_lesson.comparison import make_task, movielens_features
    from collab_lesson.movielens import load_split, movielens
    best = {o['system']: o['settings'] for o in points if o['task']=='u1' and None in o['budgets']}
    r, res = movielens(), []
    features = movielens_features(r)
    for fold in ('u2', 'u3', 'u4', 'u5') if best else ():
        a, b = load_split(fold)
        task, test = make_task(r[a], r[b], None, features)
        for name,settings in best.items():
            if clock(): return res
            try: answer, _ = bench.run(name, task, 1, settings)
            except RuntimeError: continue
            res.append(dict(split=fold, system=name, value=float(((answer-test.values)**2).mean()**.5)))
    return res

def keep_others(result, file, todo):
    "Take over, from results with the same budget, the tasks that are not measured now"
    if not file.exists(): return
    before = json.loads(file.read_text())
    if any(before['info'][o]!=result['info'][o] for o in ('settings', 'seconds', 'seeds', 'skipped')): return
    for k in ('tasks', 'trials', 'points', 'verdicts', 'against', 'failed'):
        result[k] += [o for o in before[k] if o['task'] not in todo]
    for k in ('ten_splits', 'folds'):
        if k in before: result[k] = before[k]

@call_parse
def main(
    out:str='runs/bench',    # folder for comparison.json, the log of jobs and their answers
    venv:str='.venv-bench',  # where the peers are, or will be, installed
    n:int=12,                # settings to try for each system and task
    seconds:float=10,        # of the processor, for a system's trials on one task, and again for its measured runs
    seeds:int=5,             # runs of each chosen setting; 3 where nothing is left to chance
    minutes:float=90,        # on the clock, for all; what there is no time for is left out, and said
    only:str='',             # names of systems, with | between them: leave out all others
    skip:str='',             # names of systems to leave out, likewise
    tasks:str='',            # names of tasks, in the order to run them; default: all
    other:str='',            # folder with latest-small.ratings.csv and filmtrust.txt, if you have them
    more:int=1,              # also the ten splits and the other folds?
    only_report:bool=False   # write comparison.json from the jobs that are done
):
    "Compare the book's models with other libraries"
    from collab_lesson.comparison import Budget
    import fastai, torch
    torch.set_num_threads(1)
    began = time.perf_counter()
    python, installed = install(Path(venv).absolute())
    for req,why in installed.items():
        if why: print(f'{req} did not install: {why}')
    bench, budget = Bench(out, python), Budget(n, seconds)
    if only_report: bench.ask = lambda *args: dict(error='not run')
    clock = lambda: (time.perf_counter()-began)/60>minutes
    result = dict(info=dict(date=time.strftime('%Y-%m-%d'), python=platform.python_version(), torch=torch.__version__, fastai=fastai.__version__, cores=os.cpu_count(), threads=1,
                            settings=n, seconds=seconds, seeds=seeds, minutes=minutes, skipped=skip, installed=installed), tasks=[], trials=[], points=[], verdicts=[], against=[], failed=[])
    split = lambda o: [x for x in o.split('|') if x]
    todo = all_tasks(split(tasks), other)
    keep_others(result, Path(out)/'comparison.json', todo)
    def write():
        result['goals'] = to_goal(result['points'])
        result['info']['clock_minutes'] = round((time.perf_counter()-began)/60, 1)
        result['info']['processor_minutes'] = round(sum(o.get('fit_s', 0)+o.get('predict_s', 0) for o in bench.jobs.values())/60, 1)
        (Path(out)/'comparison.json').write_text(json.dumps(result, indent=1)+'\n')
    try:
        for name,make in todo.items():
            if clock(): result['failed'].append(dict(task=name, system=None, error='no time left')); continue
            try: made = make()
            except (FileNotFoundError, ValueError) as e: result['failed'].append(dict(task=name, system=None, error=str(e))); continue
            res = run_task(bench, name, made, budget, list(range(1, seeds+1)), split(only), split(skip), clock)
            result['tasks'].append(res.pop('task'))
            for k,v in res.items(): result[k] += v
            write()
            for o in res['verdicts']: print(o, flush=True)
            print(f'{name}: after {result["info"]["clock_minutes"]} minutes', flush=True)
        if more and result['points']:
            result['ten_splits'] = ten_splits(bench, result['points'], clock) or result.get('ten_splits', [])
            result['folds'] = other_folds(bench, result['points'], clock) or result.get('folds', [])
        write()
    finally: bench.close()
    print(f'Written: {out}/comparison.json, after {result["info"]["clock_minutes"]} minutes')
