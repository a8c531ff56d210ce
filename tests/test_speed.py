"Compiled training: the same numbers as PyTorch's, what goes wrong, and what happens without Numba."
import math, sys

import common  # sets the number of threads
import numpy as np, pytest, torch
from fastai.torch_core import set_seed
from collab_lesson import speed
from collab_lesson.bias import DotProductBias
from collab_lesson.dot_product import DotProduct, predict
from collab_lesson.ranking import EASE
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.sigmoid_range import DotProductWithRange
from collab_lesson.training import fit

models = pytest.mark.parametrize('make', [DotProduct, DotProductWithRange, DotProductBias])

@pytest.fixture(scope='module')
def r(): return Ratings(synthetic_ratings(40, 60, 1000), item='movie')

def made(make, r, k=5, **kwargs):
    set_seed(1)
    return make(r.n_users, r.n_items, k, **kwargs)

def weights(model): return torch.cat([o.detach().flatten() for o in model.parameters()])

def by_autograd(model, r, lr, wd):
    "PyTorch's plain SGD at batch size 1, in the order of the table"
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    x = torch.stack([torch.from_numpy(o).long() for o in (r.users, r.items)], 1)
    for n,y in enumerate(torch.from_numpy(r.values)):
        rows = model.user_factors(x[n:n+1,0]), model.movie_factors(x[n:n+1,1])
        loss = (model(x[n:n+1])-y).square().sum() + wd/2*sum(o.square().sum() for o in rows)
        opt.zero_grad()
        loss.backward()
        opt.step()

@pytest.mark.parametrize('wd', [0, .05])
@models
def test_a_thousand_compiled_steps_are_those_of_pytorch(make, wd, r):
    a, b = made(make, r), made(make, r)
    if make is DotProductBias: b.y_range = a.y_range = (0,5.5) # no start at the mean
    by_autograd(a, r, .02, wd)
    run = fit(b, r, 1, .02, wd, solver='sgd', order='file', bar=False)
    assert (weights(a)-weights(b)).abs().max() < 1e-5 < weights(a).abs().max()
    assert (weights(a)-weights(made(make, r))).abs().max() > .01 # something has moved
    assert run.epochs.train_loss.notna().all() and not run.interrupted

@pytest.mark.parametrize('adaptive', [False, True])
@models
def test_python_and_machine_code_agree(make, adaptive, r, monkeypatch):
    ends = []
    for _ in range(2):
        model = made(make, r)
        fit(model, r[:300], 2, .02, .05, solver='sgd', adaptive=adaptive, order='file', bar=False)
        ends.append(weights(model))
        monkeypatch.setattr('collab_lesson.als.compiled', lambda f: f)
    assert (ends[0]-ends[1]).abs().max() < 1e-5

@pytest.mark.parametrize('order', ['block', 'user', 'shuffled', 'file'])
def test_every_order_learns_and_repeats(order, r):
    train, valid = r.split()
    def once():
        model = made(DotProductBias, train, 4, y_range=None)
        return fit(model, train, 20, valid=valid, solver='sgd', order=order, bar=False)
    a, b = once(), once()
    assert torch.equal(weights(a.model), weights(b.model)) and a.valid_loss==b.valid_loss
    assert a.valid_loss < .9*valid.values.var()

def test_many_blocks_hold_every_rating_once(r):
    u, i, y, starts = speed._ordered(r, 'block', np.zeros((r.n_users, 5)), np.zeros((r.n_items, 5)), 0, cache=200)
    assert len(starts) == 1 + math.ceil(r.n_users/10)*math.ceil(r.n_items/10)
    assert sorted(zip(u, i, y)) == sorted(zip(r.users, r.items, r.values))
    block = u//10*math.ceil(r.n_items/10) + i//10
    assert (np.diff(block)>=0).all()

def test_validation_is_what_the_model_predicts(r):
    train, valid = r.split()
    for make in (DotProduct, DotProductWithRange, DotProductBias):
        run = fit(made(make, train), train, 3, valid=valid, solver='sgd', bar=False)
        x = torch.stack([torch.from_numpy(o).long() for o in (valid.users, valid.items)], 1)
        mse = ((run.model(x)-torch.from_numpy(valid.values))**2).mean().item()
        assert run.valid_loss == pytest.approx(mse, rel=1e-5)

def test_two_threads_learn_too(r):
    run = fit(made(DotProductBias, r, 4), r, 10, solver='sgd', threads=2, bar=False)
    assert run.epochs.train_loss.iloc[-1] < run.epochs.train_loss.iloc[0]

def test_what_it_refuses(r):
    class Other(DotProductBias): pass
    with pytest.raises(TypeError, match='not a Other'): fit(made(Other, r), r, solver='sgd')
    with pytest.raises(TypeError, match='float32'): fit(made(DotProduct, r).double(), r, solver='sgd')
    with pytest.raises(ValueError, match="order='x' must be"): fit(made(DotProduct, r), r, solver='sgd', order='x')
    with pytest.raises(ValueError, match='threads=0'): fit(made(DotProduct, r), r, solver='sgd', threads=0)
    with pytest.raises(ValueError, match='beyond y_range'): fit(made(DotProductBias, r, y_range=(2,4)), r, solver='sgd')
    with pytest.raises(ValueError, match='takes no bs'): fit(made(DotProduct, r), r, solver='sgd', bs=64)
    with pytest.raises(ValueError, match='takes no solver'): fit(EASE(), r, solver='sgd')
    with pytest.raises(FloatingPointError, match='smaller lr'): fit(made(DotProduct, r), r, lr=1e3, solver='sgd', bar=False)

def test_without_numba_one_line_says_what_to_install(r):
    code = ("import sys; sys.modules['numba'] = None\n"
            'from collab_lesson.all import *\n'
            "r = Ratings(synthetic_ratings(20, 30, 200), item='movie')\n"
            "fit(DotProduct(r.n_users, r.n_items, 4), r, solver='sgd')")
    _, err = (p := common.python(code)).communicate()
    assert p.returncode and "pip install 'collab_lesson[fast]'" in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith('ModuleNotFoundError')

def test_the_meter_imports_neither_numba_nor_torch():
    p = common.python("import sys\nfrom collab_lesson.speed import timed, peak_mb\nprint({'numba', 'torch', 'pandas'} & set(sys.modules))")
    assert p.communicate()[0].strip() == 'set()'
