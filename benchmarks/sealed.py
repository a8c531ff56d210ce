"""Open the sealed splits of chapter 15: measure every model with its frozen settings, and write the opening into the log.

Settings come from nbs/results/sealed_settings.json, which must be committed and unchanged. Each opening is appended to
nbs/results/sealed_log.json (date, hashes, results). Nothing is ever removed from that file. `--dry` measures on ordinary
splits of synthetic ratings instead, to see whether everything runs, and writes nothing.
"""
import hashlib, json, subprocess
from datetime import datetime, timezone
from pathlib import Path

import numpy as np, pandas as pd
from fastai.torch_core import set_seed
from fastcore.script import call_parse

root = Path(__file__).resolve().parent.parent
kinds = 'random', 'user', 'last', 'time'

def is_frozen(
    file # a file of a git repository
)->bool: # is it committed, and has it no changes since?
    "Does the last commit hold this file as it is?"
    git = lambda *args: subprocess.run(['git', *args], cwd=file.parent, capture_output=True, text=True)
    known = git('ls-files', '--error-unmatch', file.name).returncode==0
    return known and git('diff', '--quiet', 'HEAD', '--', file.name).returncode==0

def settings_hash(settings): return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()

def hidden_hash(test): # of times and stars of the hidden ratings, in an order that no version of a library changes
    return hashlib.sha256(np.sort(test.times).tobytes() + np.sort(test.values).tobytes()).hexdigest()

def known_only(test): return test[(test.users>0)&(test.items>0)]

def makers():
    "name → function of (training `Ratings`, settings, seed) that returns the `Run` of a fitted model"
    from collab_lesson import als, bayesian, bias, ranking
    from collab_lesson.training import fit
    def closed(cls): return lambda a, s, seed: fit(cls(**s), a, bar=False)
    def own_seed(cls): return lambda a, s, seed: fit(cls(seed=seed, **s), a, bar=False)
    def bpr(a, s, seed):
        s = dict(s)
        return fit(ranking.BPR(a.n_users, a.n_items, s.pop('n_factors')), a, bar=False, device='cpu', **s)
    def dots(a, s, seed):
        s = dict(s)
        model = bias.DotProductBias(a.n_users, a.n_items, s.pop('n_factors'))
        return fit(model, a, bar=False, device='cpu', **s)
    return {'popularity': closed(ranking.Popularity), 'item cosine': closed(ranking.ItemCosine),
            'EASE': closed(ranking.EASE), 'BPR': bpr, 'DotProductBias': dots,
            'ALS': own_seed(als.ALS), 'BayesianMF': own_seed(bayesian.BayesianMF)}

def errors_of_biases(train, test, settings):
    "Squared errors of the damped means: a total for each user"
    from collab_lesson.bias import bias_baseline
    columns = [train.columns[o] for o in ('user', 'item', 'rating')]
    predicted = bias_baseline(train.to_frame(), *columns, **settings)(test.to_frame())
    return pd.Series((np.clip(predicted, *train.scale)-test.values)**2).groupby(test.users).sum()

def measure(train, test, kind, name, settings, seeds):
    "A number for each user (the mean of the seeds), and how many ratings it is a total of"
    from collab_lesson.evaluation import per_user
    if kind=='stars': test = known_only(test)
    if name=='biases': return errors_of_biases(train, test, settings).to_numpy(), np.bincount(test.users)[np.unique(test.users)]
    res = []
    for seed in seeds:
        set_seed(seed)
        df = per_user(makers()[name](train, settings, seed).model, test)
        res.append((df.squared_error if kind=='stars' else df.nDCG).to_numpy())
    return np.mean(res, axis=0), (df.rated.to_numpy() if kind=='stars' else None)

def results_on(
    split,    # function of one of `kinds` that returns two `Ratings`
    settings  # what the file of settings holds
)->list:      # a dict per model and kind: by, measure, model, mean, low, high
    "Measure every model under every split"
    from collab_lesson.evaluation import bootstrap_users
    res = []
    for by in kinds:
        train, test = split(by)
        for kind in ('lists', 'stars'):
            for name,o in settings[kind].items():
                seeds = settings['seeds'] if o.get('by chance') else settings['seeds'][:1]
                values, counts = measure(train, test, kind, name, o['settings'], seeds)
                row = bootstrap_users(pd.Series(values), counts).iloc[0]
                if kind=='stars': row = row**.5
                res.append(dict(by=by, measure='nDCG@10' if kind=='lists' else 'RMSE', model=name, **row.round(5)))
                print(*res[-1].values(), flush=True)
    return res

def opens(
    settings, # the file
    frozen,   # what it holds
    before    # the entries of the log
)->bool:
    "Is there something to open? Says why not"
    done = [o['date'] for o in before if o['settings_sha256']==settings_hash(frozen)]
    if done: print(f'The sealed splits stay closed: they were opened with these settings, {done[-1]}.')
    elif not is_frozen(settings): print(f'The sealed splits stay closed: {settings} has changes that are not committed.')
    else: return True
    return False

@call_parse
def main(
    settings:str=str(root/'nbs/results/sealed_settings.json'), # the frozen settings
    log:str=str(root/'nbs/results/sealed_log.json'),           # where the opening is written
    dry:bool=False, # on synthetic ratings, and without a line in the log
    if_changed:bool=False # only if these settings are committed and the log has no opening with them
):
    "Open the sealed splits"
    from collab_lesson.evaluation import sealed_split
    from collab_lesson.movielens import RATINGS_SHA256, movielens
    from collab_lesson.ratings import Ratings, synthetic_ratings
    settings, log = Path(settings), Path(log)
    frozen = json.loads(settings.read_text(encoding='utf-8'))
    if dry:
        made = Ratings(synthetic_ratings(), item='movie', time='timestamp')
        results_on(lambda by: made.split(by=by), frozen)
        return
    before = json.loads(log.read_text(encoding='utf-8')) if log.exists() else []
    if if_changed and not opens(settings, frozen, before): return
    if not is_frozen(settings): raise SystemExit(f'{settings} is not committed as it is. Freeze the settings first: git commit.')
    ratings = movielens()
    parts = {by: sealed_split(ratings, by) for by in kinds}
    entry = dict(date=datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M UTC'), settings_sha256=settings_hash(frozen),
                 ratings_sha256=RATINGS_SHA256, hidden_sha256={by: hidden_hash(b) for by,(_,b) in parts.items()},
                 results=results_on(parts.__getitem__, frozen))
    log.write_text('[\n' + ',\n'.join(json.dumps(o) for o in [*before, entry]) + '\n]\n', encoding='utf-8')
