"The lookup, every model of the notes and the training loop: on bad input, as properties, and against fastai."
import math

import common  # sets the number of threads
import numpy as np, pandas as pd, pytest, torch
from fastai.collab import CollabDataLoaders, Learner, MSELossFlat
from fastai.torch_core import set_seed
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close
from collab_lesson.bias import DotProductBias, bias_baseline
from collab_lesson.custom_embedding import DotProductBiasCustom, create_params
from collab_lesson.data import lesson_dls
from collab_lesson.ratings import split_ratings, synthetic_ratings
from collab_lesson.dot_product import DotProduct, check_pairs, predict
from collab_lesson.ratings import check_sizes
from collab_lesson.embedding import Lookup, lookup_cost, one_hot, one_hot_lookup
from collab_lesson.sigmoid_range import DotProductWithRange, check_y_range, sigmoid_range
from collab_lesson.training import Run, fit, lesson_learner, one_cycle, tensor_dls, valid_loss
from collab_lesson.weight_decay import sweep_weight_decay

models = [DotProduct, DotProductWithRange, DotProductBias, DotProductBiasCustom]
ranged = models[1:]
every_model = pytest.mark.parametrize('cls', models)
every_ranged = pytest.mark.parametrize('cls', ranged)


# the lookup

@st.composite
def tables(draw):
    "(indices of any shape, with repeats; table)"
    n, k = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    idx = draw(st.lists(st.integers(0, n-1), min_size=math.prod(shape), max_size=math.prod(shape)))
    table = torch.randn(n, k, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))), dtype=torch.float64)
    return torch.tensor(idx, dtype=torch.long).reshape(shape), table

@given(tables())
def test_lookup_equals_one_hot(o):
    "…in value and in gradient: by matrix product, by index, by our own autograd function, and by PyTorch's layer"
    idx,table = o
    upstream = torch.arange(idx.numel()*table.shape[1], dtype=table.dtype).reshape(*idx.shape, table.shape[1]) + 1
    ways = dict(one_hot=one_hot_lookup, index=lambda i,w: w[i], own=Lookup.apply, layer=torch.nn.functional.embedding)
    values, grads = {}, {}
    for name,f in ways.items():
        w = table.clone().requires_grad_()
        values[name] = f(idx, w)
        (values[name]*upstream).sum().backward()
        grads[name] = w.grad
    for name in ways:
        assert_close(values[name], values['one_hot'], rtol=0, atol=1e-12)
        assert_close(grads[name], grads['one_hot'], rtol=1e-12, atol=1e-12)

@given(tables())
def test_one_hot(o):
    idx,table = o
    hot = one_hot(idx, len(table))
    assert hot.shape==(*idx.shape, len(table)) and (hot.sum(-1)==1).all() and hot.argmax(-1).equal(idx)

@pytest.mark.parametrize('idx,n,error', [(-1, 5, IndexError), (5, 5, IndexError), ([0,9], 5, IndexError), (1.5, 5, TypeError), (True, 5, TypeError),
    ('a', 5, TypeError), (None, 5, TypeError), (torch.tensor([1.]), 5, TypeError), (0, 0, ValueError), (0, -1, ValueError), (0, 2.5, TypeError), ([[0],[1,2]], 5, TypeError)])
def test_one_hot_refuses(idx, n, error):
    with pytest.raises(error): one_hot(idx, n)
    if error is IndexError:
        with pytest.raises(IndexError): one_hot_lookup(idx, torch.zeros(n, 2))

@pytest.mark.parametrize('bad', [dict(n_rows=(0,)), dict(n_factors=0), dict(bs=0)])
def test_lookup_cost_refuses(bad):
    with pytest.raises(ValueError, match='at least 1'): lookup_cost(**bad)


# making a model

@every_model
@pytest.mark.parametrize('which', ['n_users', 'n_movies', 'n_factors'])
@pytest.mark.parametrize('bad', [0, -1, 2.5, 5., '5', None, True, [5], float('nan'), np.float32(3)])
def test_sizes(cls, which, bad):
    with pytest.raises(ValueError, match=f'{which}='): cls(**dict(n_users=4, n_movies=5, n_factors=3) | {which: bad})

@every_model
def test_sizes_may_be_numpys(cls):
    "What `ratings.user.max()+1` gives"
    assert cls(np.int64(4), np.int32(5), np.int64(3))(torch.tensor([[3,4]])).shape==(1,)

@every_ranged
@pytest.mark.parametrize('bad,msg', [((5.5,0), 'lower end first'), ((3,3), 'lower end first'), ((0,math.inf), 'finite'), ((-math.inf,5), 'finite'), ((0,math.nan), 'finite'),
    (5.5, 'two numbers'), ((0,), 'two numbers'), ((0,1,2), 'two numbers'), ((), 'two numbers'), ('low', 'two numbers'), (('a','b'), 'two numbers'), ((None,5), 'two numbers')])
def test_y_range(cls, bad, msg):
    with pytest.raises(ValueError, match=msg): cls(4, 5, 3, y_range=bad)

@every_ranged
def test_no_y_range_is_refused_or_works(cls):
    try: model = cls(4, 5, 3, y_range=None)
    except ValueError as e: assert 'y_range' in str(e)
    else: assert model(torch.tensor([[3,4]])).shape==(1,)

@pytest.mark.parametrize('bad', [[0], [3,-1], [2.,3], ['3']])
def test_create_params_refuses(bad):
    with pytest.raises(ValueError, match='size'): create_params(bad)


# asking a model

x = torch.tensor([[0,0], [3,4], [1,2], [1,2]])

@every_model
@pytest.mark.parametrize('bad,error,msg', [
    (torch.tensor([[4,0]]), IndexError, 'user row 4 does not exist.*4 rows'), (torch.tensor([[0,5]]), IndexError, 'movie row 5 does not exist.*5 rows'),
    (torch.tensor([[-1,0]]), IndexError, 'user row -1'), (torch.tensor([[0,0],[0,-5]]), IndexError, 'movie row -5'), (torch.tensor([[0,2**40]]), IndexError, f'movie row {2**40}'),
    (x.float(), TypeError, r'x\.long\(\)'), (x.bool(), TypeError, 'bool'), (x.to(torch.uint8), TypeError, 'uint8'), (x.to(torch.complex64), TypeError, 'complex64'),
    (x[0], ValueError, r'\(2,\)'), (x[:,:1], ValueError, r'\(4, 1\)'), (x[None], ValueError, r'\(1, 4, 2\)'), (x.T, ValueError, r'\(2, 4\)'), (torch.tensor(3), ValueError, r'\(\)'),
    (torch.zeros(4, 3, dtype=torch.long), ValueError, r'\(4, 3\)'), (x.tolist(), TypeError, 'list'), (x.numpy(), TypeError, 'ndarray'), (None, TypeError, 'NoneType'), ('Fargo', TypeError, 'str'),
])
def test_pairs(cls, bad, error, msg):
    model = cls(4, 5, 3)
    with pytest.raises(error, match=msg): model(bad)
    assert model(x).isfinite().all()

@every_model
def test_answers_have_one_number_per_pair(cls):
    model = cls(4, 5, 3)
    assert model(x).shape==(4,) and model(x[:1]).shape==(1,) and model(x[:0]).shape==(0,)
    assert model(x.int()).equal(model(x)) and model(x.repeat(1,2)[:,:2]).equal(model(x)), 'any integer type, any strides'
    assert model(x)[2]==model(x)[3]

@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 8), st.integers(0, 10**6), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=20),
       st.tuples(st.floats(-10, 10), st.floats(.1, 10)))
def test_custom_model_equals_bias_model(n_users, n_movies, k, seed, pairs, lo_width):
    y_range = (lo_width[0], sum(lo_width))
    set_seed(seed)
    a, b = (cls(n_users, n_movies, k, y_range).double() for cls in (DotProductBias, DotProductBiasCustom))
    with torch.no_grad():
        for name,p in b.named_parameters(): p.copy_(torch.randn_like(p)); getattr(a, name).weight.copy_(p.reshape_as(getattr(a, name).weight))
    x = torch.tensor([(u%n_users, i%n_movies) for u,i in pairs], dtype=torch.long).reshape(-1, 2)
    assert_close(a(x), b(x), rtol=0, atol=1e-12)
    if len(x): assert y_range[0] < a(x).min() and a(x).max() < y_range[1]
    for m in (a, b): (m(x)*(torch.arange(len(x))+1)).sum().backward()
    for name,p in b.named_parameters(): assert_close(getattr(a, name).weight.grad.reshape_as(p), p.grad, rtol=1e-10, atol=1e-12)

@given(st.lists(st.floats(-50, 50), min_size=1), st.floats(-10, 10), st.floats(.1, 10))
def test_sigmoid_range_is_monotonic_and_stays_inside(z, lo, width):
    z = torch.tensor(sorted(z), dtype=torch.float64)
    r = sigmoid_range(z, lo, lo+width)
    assert (r>=lo-1e-12).all() and (r<=lo+width+1e-12).all() and (r.diff()>=-1e-12).all()
    assert_close(sigmoid_range(z*0, lo, lo+width), z*0 + lo + width/2)


# the loaders

ratings = synthetic_ratings(60, 80, 1600, seed=7)

@pytest.fixture(scope='module')
def stock(): return lesson_dls(ratings, bs=32, device='cpu')

@pytest.fixture(scope='module')
def dls(stock): return tensor_dls(stock)      # 1280 ratings in 40 batches to train on

def make(cls, dls, n_factors=8): return cls(len(dls.classes['user']), len(dls.classes['title']), n_factors)
def rows(batches): return [tuple(o) for x,_ in batches for o in x.tolist()]

@settings(max_examples=30)
@given(st.integers(10, 120), st.integers(1, 130), st.integers(0, 99))
def test_each_row_once(n, bs, seed):
    some = ratings.head(n)
    stock = lesson_dls(some, bs=bs, seed=seed, device='cpu')
    dls = tensor_dls(stock)
    train,valid = split_ratings(some, seed=seed)
    want = [[*zip(ds.items.user, ds.items.title)] for ds in (stock.train_ds, stock.valid_ds)]
    got = rows(dls.train)
    assert len(set(got))==len(got)==len(train)//bs*bs and set(got)<=set(want[0])   # a last, short batch is dropped, as fastai does
    assert len([*dls.train])==len(dls.train) and all(x.shape==(bs,2) and y.shape==(bs,1) for x,y in dls.train)
    assert rows(dls.valid)==want[1]
    assert torch.cat([y for _,y in dls.valid]).flatten().tolist()==some.rating.iloc[valid].tolist()

def test_labels_stay_with_their_rows(stock, dls):
    want = {(u,t): r for u,t,r in zip(*(stock.train_ds.items[o] for o in ('user', 'title', 'rating')))}
    for x,y in dls.train:
        for pair,r in zip(x.tolist(), y.flatten().tolist()): assert want[tuple(pair)]==r

def test_order_changes_between_epochs_and_follows_the_seed(dls):
    set_seed(1); a,b = rows(dls.train), rows(dls.train)
    set_seed(1); c = rows(dls.train)
    assert a!=b and sorted(a)==sorted(b) and a==c

def test_loaders_keep_what_the_stock_ones_know(stock, dls, monkeypatch):
    assert {k: list(v) for k,v in dls.classes.items()}=={k: list(v) for k,v in stock.classes.items()}
    assert len(dls.train_ds)==len(stock.train_ds) and dls.bs==stock.bs and dls.device==stock.device
    x,y = dls.one_batch()
    sx,sy = stock.one_batch()
    assert (x.shape, x.dtype, y.shape, y.dtype)==(sx.shape, sx.dtype, sy.shape, sy.dtype)
    shown = []
    monkeypatch.setattr('fastai.tabular.core.display_df', shown.append)
    dls.show_batch()
    assert len(shown[0])==10==len(shown[0].astype({'user': int}).merge(ratings, on=['user', 'title', 'rating']))

def test_drawing_with_replacement(stock):
    dls = tensor_dls(stock, replace=True)
    got = rows(dls.train)
    assert len(got)==len(dls.train)*32==1280 and set(got)<={*zip(stock.train_ds.items.user, stock.train_ds.items.title)}
    assert .55 < len(set(got))/1280 < .7, 'the share of n things that n draws reach is 1-1/e = .63'
    assert len(set(rows(dls.valid)))==len(stock.valid_ds)

@pytest.mark.parametrize('bad', [dict(bs=0), dict(bs=-1), dict(bs=1.5), dict(device='nonsense')])
def test_tensor_dls_refuses(stock, bad):
    with pytest.raises(ValueError, match=next(iter(bad))): tensor_dls(stock, **bad)

def test_works_on_fastais_own_loaders():
    "…which split by themselves"
    own = CollabDataLoaders.from_df(ratings, item_name='title', bs=32, seed=1)
    run = fit(make(DotProductBias, own), own, 1)
    assert len(run.epochs)==1 and run.valid_loss<3


# training

@pytest.mark.parametrize('wd', [0., .1])
@every_model
def test_fit_equals_learner(cls, wd, dls):
    "Same initial weights and batches, 200 steps: the weights agree to 1e-5 with fastai's Learner, and with our quicker one"
    def train(how):
        set_seed(3)
        model = make(cls, dls)
        set_seed(4)
        how(model)
        return model.state_dict()
    a = train(lambda m: fit(m, dls, 5, wd=wd))
    b = train(lambda m: bare(Learner(dls, m, loss_func=MSELossFlat())).fit_one_cycle(5, 5e-3, wd=wd))
    c = train(lambda m: bare(lesson_learner(dls, m)).fit_one_cycle(5, 5e-3, wd=wd))
    assert len(dls.train)*5==200
    set_seed(3)
    start = make(cls, dls).state_dict()
    for k in a:
        assert (a[k]-start[k]).abs().max()>.01, 'nothing was learned'
        assert_close(a[k], b[k], rtol=0, atol=1e-5)
        assert_close(a[k], c[k], rtol=0, atol=1e-5)

def bare(learn):
    "Without printing"
    learn.logger = lambda o: None
    learn.remove_cbs([o for o in learn.cbs if type(o).__name__=='ProgressCallback'])
    return learn

def test_losses_equal_the_learners(dls):
    def train(how):
        set_seed(3)
        return how(make(DotProductBias, dls))
    run = train(lambda m: fit(m, dls, 3))
    learn = train(lambda m: bare(Learner(dls, m, loss_func=MSELossFlat())))
    set_seed(3); make(DotProductBias, dls) # as far as the first had got
    learn.fit_one_cycle(3, 5e-3, wd=.01)
    assert_close(torch.tensor(run.epochs[['train_loss', 'valid_loss']].to_numpy()), torch.tensor([o[:2] for o in learn.recorder.values]).double(), rtol=0, atol=1e-5)

@every_model
def test_training_is_deterministic(cls, dls):
    def train(seed):
        set_seed(seed)
        return fit(make(cls, dls), dls, 2)
    a,b,c = train(1), train(1), train(2)
    assert a.losses.tolist()==b.losses.tolist()!=c.losses.tolist() and a.valid_loss==b.valid_loss
    for p,q in zip(a.model.parameters(), b.model.parameters()): assert p.equal(q)

@every_model
def test_training_learns(cls, dls):
    set_seed(0)
    model = make(cls, dls)
    before = valid_loss(model, dls.valid)
    run = fit(model, dls, 5, lr=.02)
    assert run.valid_loss < before and run.model is model and len(run.losses)==200 and not run.interrupted
    assert run.epochs.columns.tolist()==['epoch', 'train_loss', 'valid_loss', 'seconds'] and run.epochs.epoch.tolist()==[0,1,2,3,4]
    assert run.valid_loss==pytest.approx(valid_loss(model, dls.valid), abs=1e-6)

class Trip(DotProduct):
    "Does something at one training step: `at` counts the calls in training mode"
    def __init__(self, dls, at, what): super().__init__(len(dls.classes['user']), len(dls.classes['title']), 4); self.at,self.what,self.step = at,what,-1
    def forward(self, x):
        self.step += self.training
        return self.what(super().forward(x)) if self.training and self.step==self.at else super().forward(x)

def ctrl_c(out): raise KeyboardInterrupt

@pytest.mark.parametrize('at,epochs', [(0, 0), (39, 0), (40, 1), (85, 2), (199, 4)])
def test_ctrl_c_keeps_the_epochs_that_were_done(dls, capsys, at, epochs):
    set_seed(5)
    whole = fit(Trip(dls, None, None), dls, 5)
    set_seed(5)
    run = fit(Trip(dls, at, ctrl_c), dls, 5)
    assert run.interrupted and len(run.epochs)==epochs and len(run.losses)==at
    assert f'epoch {epochs}, at step {at}' in capsys.readouterr().out
    assert run.losses.tolist()==whole.losses[:at].tolist()
    assert run.epochs.valid_loss.tolist()==whole.epochs.valid_loss[:epochs].tolist()
    assert str(run) and run.seconds>=0 and run._repr_html_(), 'even an empty table prints'

@pytest.mark.parametrize('bar', [True, False])
@pytest.mark.parametrize('value,at', [(math.nan, 0), (math.nan, 5), (math.inf, 63), (math.nan, 64), (-math.inf, 100), (math.nan, 199)])
def test_a_loss_that_is_no_number_names_its_step(dls, value, at, bar):
    with pytest.raises(FloatingPointError, match=rf'at step {at};'): fit(Trip(dls, at, lambda out: out*value), dls, 5, bar=bar)

def test_too_high_a_learning_rate_is_found_out(dls):
    with pytest.raises(FloatingPointError, match='a smaller lr'): fit(make(DotProduct, dls), dls, 5, lr=1e30)

@pytest.mark.parametrize('bad,msg', [(dict(n_epoch=0), 'n_epoch=0'), (dict(n_epoch=-1), 'n_epoch=-1'), (dict(n_epoch=1.5), 'n_epoch=1.5'), (dict(n_epoch='5'), "n_epoch='5'"),
                                     (dict(lr=0), 'lr=0'), (dict(lr=-1), 'lr=-1'), (dict(lr=math.nan), 'lr=nan'), (dict(wd=-.1), 'wd=-0.1'), (dict(wd=math.nan), 'wd=nan')])
def test_fit_refuses(dls, bad, msg):
    model = make(DotProduct, dls)
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=msg): fit(model, dls, **bad)
    assert all(a.equal(b) for a,b in zip(before, model.parameters()))

def test_more_per_batch_than_there_is(stock):
    with pytest.raises(ValueError, match='no batches'): fit(make(DotProduct, stock), tensor_dls(stock, bs=5000))

def test_sweep_starts_afresh_each_time(dls):
    runs = sweep_weight_decay(lambda: make(DotProductBias, dls), dls, wds=(0, .5), n_epoch=1)
    assert list(runs)==[0, .5] and runs[0].losses[0]==runs[.5].losses[0] and runs[0].valid_loss!=runs[.5].valid_loss
    set_seed(42)
    assert fit(make(DotProductBias, dls), dls, 1, wd=.5).valid_loss==runs[.5].valid_loss

@pytest.mark.parametrize('bad,msg', [([], 'empty'), ([.1,-.1], 'must not be negative')])
def test_sweep_refuses(dls, bad, msg):
    with pytest.raises(ValueError, match=msg): sweep_weight_decay(lambda: make(DotProductBias, dls), dls, wds=bad)

@given(st.integers(4, 400), st.floats(1e-5, 1))
def test_one_cycle_goes_up_once_and_down_once(n, lr):
    lrs,moms = one_cycle(n, lr)
    top = lrs.argmax()
    assert len(lrs)==len(moms)==n and lrs[0]==pytest.approx(lr/25) and lrs.max()<=lr*(1+1e-9) and abs(top-n*.25)<=1
    assert (np.diff(lrs[:top+1])>=-1e-12).all() and (np.diff(lrs[top:])<=1e-12).all()
    assert (np.diff(moms[:top+1])<=1e-12).all() and (np.diff(moms[top:])>=-1e-12).all() and .85-1e-9<=moms.min() and moms.max()<=.95+1e-9

def test_bias_baseline():
    train = pd.DataFrame(dict(user=[1,1,2], title=['a','b','a'], rating=[5.,3.,4.]))
    exact = bias_baseline(train, damping=0)(pd.DataFrame(dict(user=[1,2,9], title=['a','b','z'])))
    # mean 4, b_a = .5, b_b = -1; then user 1: mean of (5-4.5, 3-3) = .25; user 2: 4-4.5 = -.5
    assert exact.tolist()==pytest.approx([4.75, 2.5, 4])
    assert bias_baseline(train, damping=1e12)(train).tolist()==pytest.approx([4,4,4])
    with pytest.raises(ValueError, match='damping=-1'): bias_baseline(train, damping=-1)


# predictions by name

@every_model
@pytest.mark.parametrize('training', [True, False])
def test_predict_leaves_the_model_as_it_was(cls, dls, training):
    model = make(cls, dls).train(training)
    user, title = int(dls.classes['user'][1]), dls.classes['title'][1]
    p = predict(model, dls, user, [title, dls.classes['title'][2]])
    assert p.shape==(2,) and p.device.type=='cpu' and not p.requires_grad
    assert_close(p, model(torch.tensor([[1,1],[1,2]])).detach())
    for bad in [(9999, title), (user, 'No such film')]:
        with pytest.raises(ValueError, match='Unknown'): predict(model, dls, *bad)
    with pytest.raises(ValueError, match='rows for .* and 0 items'): predict(cls(len(dls.classes['user']), 1, 2).train(training), dls, user, title)
    assert model.training==training and all(p.requires_grad and p.device.type=='cpu' and p.grad is None for p in model.parameters())


# on a GPU

def on_gpu(stock): return tensor_dls(stock, device='cuda')

@pytest.mark.gpu
def test_gpu_loaders_stay_on_the_gpu(stock, dls):
    gpu = on_gpu(stock)
    assert gpu.device.type=='cuda' and all(o.is_cuda for dl in gpu.loaders for b in dl for o in b)
    for o in (gpu, dls): set_seed(1); o.order = rows(o.train)
    assert gpu.order==dls.order, 'the same seed gives the same batches on either device'

@pytest.mark.gpu
@every_model
def test_gpu_training_gives_the_losses_of_the_cpu(cls, stock, dls):
    def train(dls):
        set_seed(1)
        return fit(make(cls, dls), dls, 5)
    cpu, gpu = train(dls), train(on_gpu(stock))
    assert all(p.is_cuda for p in gpu.model.parameters())
    assert gpu.losses[:10].tolist()==pytest.approx(cpu.losses[:10].tolist(), abs=1e-5)
    assert gpu.epochs.valid_loss.tolist()==pytest.approx(cpu.epochs.valid_loss.tolist(), abs=2e-3)

@pytest.mark.gpu
@every_model
def test_gpu_fit_equals_learner(cls, stock):
    gpu = on_gpu(stock)
    def train(how):
        set_seed(3); model = make(cls, gpu)
        set_seed(4); how(model)
        return model.state_dict()
    a = train(lambda m: fit(m, gpu, 5))
    b = train(lambda m: bare(Learner(gpu, m, loss_func=MSELossFlat())).fit_one_cycle(5, 5e-3, wd=.01))
    for k in a: assert_close(a[k], b[k].to(a[k].device), rtol=0, atol=1e-4)

@pytest.mark.gpu
@every_model
def test_gpu_predictions_are_checked_before_they_reach_the_gpu(cls, stock):
    "An index out of range in a CUDA kernel would end the process"
    gpu = on_gpu(stock)
    model = make(cls, gpu).cuda()
    user, title = int(gpu.classes['user'][1]), gpu.classes['title'][1]
    p = predict(model, gpu, user, title)
    assert p.device.type=='cpu' and all(o.is_cuda for o in model.parameters())
    with torch.no_grad(), pytest.raises(IndexError, match='movie row 99999'): model(torch.tensor([[0,99_999]], device='cuda'))
    assert_close(predict(model, gpu, user, title), p)   # the device still works

@pytest.mark.gpu
def test_gpu_loss_that_is_no_number_names_its_step(stock):
    with pytest.raises(FloatingPointError, match='at step 70;'): fit(Trip(on_gpu(stock), 70, lambda out: out*math.nan), on_gpu(stock), 5)
