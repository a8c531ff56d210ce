"""Seconds per epoch and peak memory of three ways to train one model on one split: stock fastai, `lesson_learner`, `fit`.

Each way runs in a process of its own (so that peak memory is its own) and the processes take turns (so that a busy
machine is busy for all of them). Prints medians and ratios, writes runs/speed.json.
"""
import json, os, platform, statistics, subprocess, sys
from pathlib import Path

from fastcore.script import call_parse

def stock(dls, model):
    from fastai.collab import Learner, MSELossFlat
    return Learner(dls, model, loss_func=MSELossFlat()).fit_one_cycle

def lesson(dls, model):
    from collab_lesson.training import lesson_learner
    return lesson_learner(dls, model).fit_one_cycle

def lean(dls, model):
    from collab_lesson.training import fit, tensor_dls
    dls = tensor_dls(dls)
    return lambda n, lr: fit(model, dls, n, lr, bar=False)

ways = {'stock fastai': stock, 'lesson_learner': lesson, 'fit': lean}

def measure(way, epochs, bs):
    "Train in this process; print seconds per epoch (the first one, which warms up, left out) and peak memory"
    import torch
    from contextlib import ExitStack
    from fastai.torch_core import set_seed
    from fastai.callback.progress import ProgressCallback  # noqa: F401, gives Learner.no_bar
    from collab_lesson.bias import DotProductBias
    from collab_lesson.data import lesson_dls
    from collab_lesson.speed import peak_mb, timed
    torch.set_num_threads(1)
    dls = lesson_dls(bs=bs, device='cpu')
    set_seed(42)
    train = ways[way](dls, DotProductBias(len(dls.classes['user']), len(dls.classes['title']), 50))
    learn = getattr(train, '__self__', None)
    with ExitStack() as quiet:
        if learn is not None:  # no bar and no table for anyone: we time training, not drawing
            quiet.enter_context(learn.no_bar()); quiet.enter_context(learn.no_logging())
        train(1, 5e-3)
        seconds = timed(lambda: train(epochs, 5e-3))[1]/epochs
    print(json.dumps(dict(way=way, seconds=seconds, peak_mb=peak_mb())))

@call_parse
def main(
    rounds:int=5,    # how often each way takes its turn
    epochs:int=1,    # timed epochs per turn, after one to warm up
    bs:int=64,       # ratings per batch
    out:str='runs',  # folder for speed.json
    only:str=None    # (used by the script itself: measure one way in this process)
):
    "Time our training beside stock fastai, side by side in one run"
    if only: return measure(only, epochs, bs)
    turns = []
    for i in range(rounds):
        for way in ways:
            cmd = [sys.executable, __file__, '--only', way, '--epochs', str(epochs), '--bs', str(bs)]
            res = json.loads(subprocess.run(cmd, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
            turns.append({'round': i, **res})
            print(f'round {i+1}/{rounds}  {way:15} {res["seconds"]:6.2f} s/epoch  {res["peak_mb"]:5.0f} MB', flush=True)
    med = {w: {k: statistics.median(t[k] for t in turns if t['way']==w) for k in ('seconds', 'peak_mb')} for w in ways}
    base = med['stock fastai']
    print(f'\n{"median":15} {"s/epoch":>8} {"of stock":>9} {"peak MB":>8} {"of stock":>9}')
    for w,m in med.items():
        print(f'{w:15} {m["seconds"]:8.2f} {m["seconds"]/base["seconds"]:9.2f} {m["peak_mb"]:8.0f} {m["peak_mb"]/base["peak_mb"]:9.2f}')
    import torch, fastai
    Path(out).mkdir(parents=True, exist_ok=True)
    (Path(out)/'speed.json').write_text(json.dumps(dict(bs=bs, epochs=epochs, python=platform.python_version(), torch=torch.__version__,
        fastai=fastai.__version__, cores=os.cpu_count(), median=med, turns=turns), indent=1))
    print(f'\nWritten: {Path(out)/"speed.json"}')
