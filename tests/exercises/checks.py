"What every check shares: it says what is right and what is not yet. `tools/student.py` copies these lines into each student's notebook."
import contextlib, inspect, traceback
import numpy as np, pandas as pd, torch
from torch.optim.optimizer import register_optimizer_step_pre_hook
from collab_lesson.training import FusedAdam

class NotYet(AssertionError):
    "Some of an exercise is not right yet (a notebook shows the message alone, without the trace)"
    def _render_traceback_(self): return [str(self)]

def near(a, b, eps=1e-4):
    "Are two numbers, arrays, tensors or lists of them equal, up to rounding?"
    if isinstance(b, (tuple, list)): return len(a) == len(b) and all(near(x, y, eps) for x,y in zip(a, b))
    a, b = (np.asarray(o.detach() if hasattr(o, 'detach') else o) for o in (a, b))
    return a.shape == b.shape and bool(np.allclose(a, b, eps, eps) if b.dtype.kind in 'iufb' and a.dtype.kind in 'iufb' else (a == b).all())

def same(got, want, right, mistakes={}):
    "(is `got` right, what to say then, what to say otherwise): `mistakes` has what is wrong, by the value that it leads to"
    ok = near(got, want)
    why = next((message for message,value in mistakes.items() if not ok and near(got, value)), f'{right}? It gives {got}, not {want}')
    return ok, right, why

@contextlib.contextmanager
def watched():
    "The (learning rate, weight decay) of each step that an optimizer, PyTorch's or that of `fit`, takes meanwhile"
    steps, step = [], FusedAdam.step
    def of_fit(opt, *args, **kwargs): steps.append((opt.hypers[0]['lr'], opt.hypers[0]['wd'])); return step(opt, *args, **kwargs)
    def note(opt, *_): steps.append((opt.param_groups[0]['lr'], max(o['weight_decay'] for o in opt.param_groups)))
    handle, FusedAdam.step = register_optimizer_step_pre_hook(note), of_fit
    try: yield steps
    finally: handle.remove(); FusedAdam.step = step

def results(check, given):
    "[(ok, message)] of one check on the answers in `given`, by name"
    names, found = list(inspect.signature(check).parameters), []
    for o in names:
        if o not in given: return [(False, f'`{o}` is not defined: run the cell above first')]
    try:
        for ok,right,wrong in check(**{o: given[o] for o in names}): found.append((bool(ok), right if ok else wrong))
    except NotImplementedError: found.append((False, 'part of it is still the stub: write it in place of `raise NotImplementedError()`'))
    except Exception as e:
        at = [o.line for o in traceback.extract_tb(e.__traceback__) if o.name in names and o.line]
        found.append((False, f'it stopped with {type(e).__name__}: {e}' + (f' (in `{at[-1]}`)' if at else '')))
    named = any(not ok and '? It gives' not in message for ok,message in found)  # then what is merely another number helps nobody
    return [(ok, message) for ok,message in found if ok or not named or '? It gives' not in message]

def report(check, given):
    "Print what is right and what is not yet; raise NotYet if anything is not"
    found = results(check, given)
    for ok,message in found: print('✓' if ok else '✗ not yet:', message)
    n = sum(ok for ok,_ in found)
    if n < len(found): raise NotYet(f'{n} of {len(found)} right. Change the cell above, run it, then run this one again.')
