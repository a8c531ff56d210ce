"What chapter 19 cannot show well: new names, interruption, bad input, two stages without enough items."
import numpy as np, pandas as pd, pytest, torch

import common  # sets the number of threads
from collab_lesson.als import ALS
from collab_lesson.ranking import Popularity, evaluate, recommend, score_block
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.training import fit
import collab_lesson.two_towers as tt
from collab_lesson.two_towers import (CrossRanker, LightGCN, MultVAE, TwoStages, TwoTowers, descend, item_index,
                                      sampled_softmax, with_items)

small = dict(n_factors=8, n_epoch=2, bs=64)

@pytest.fixture(scope='module')
def data(): return Ratings(synthetic_ratings(60, 50, 1500, seed=2), item='movie', time='timestamp').split()

@pytest.fixture(scope='module')
def about(data): return torch.eye(data[0].n_users)[:, :5], torch.eye(data[0].n_items)[:, :7]+.1

def test_correction_is_what_the_loss_lacks():
    "Adding log q to scores and subtracting it leaves the loss as it is"
    s, q = torch.randn(6, 6), torch.rand(6).log()
    assert sampled_softmax(s+q, q)==pytest.approx(sampled_softmax(s, q, 0.).item(), abs=1e-5)
    assert sampled_softmax(s, q)!=pytest.approx(sampled_softmax(s, q, 0.).item(), abs=1e-3)

def test_same_seed_same_model(data, about):
    a, b, c = (fit(TwoTowers(*about, **small, seed=o), data[0], bar=False).model.item_vectors for o in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)

def test_new_users_and_items_have_vectors_from_features(data, about):
    train, _ = data
    model = fit(TwoTowers(*about, **small), train, bar=False).model
    old = score_block(model, [1, 2])
    more = with_items(train, [900, 901])
    table = torch.cat([about[1], torch.tensor([[1.]+[0]*6, [0]*6+[1.]])])
    model.know(more, item_features=table)
    got = score_block(model, [1, 2])
    assert torch.allclose(got[:, :-2], old, atol=1e-5) and got.shape==(2, train.n_items+2)
    assert not torch.allclose(got[:, -1], got[:, -2]) and got[:, -2:].abs().min()>0
    assert recommend(model, more, train.user_names[1], among=[900, 901]).item.nunique()==2
    with pytest.raises(ValueError, match='trained on'): recommend(model, train, train.user_names[1])

@pytest.mark.parametrize('case', ['no features', 'fewer', 'rows', 'twice'])
def test_what_know_refuses(case, data, about):
    train, _ = data
    model = fit(TwoTowers(*about, **small), train, bar=False).model
    with pytest.raises(ValueError) as e:
        if case=='no features': model.know(with_items(train, [900]))
        if case=='fewer': model.know(Ratings(train.to_frame()[:40], item='movie', time='timestamp'))
        if case=='rows': model.know(with_items(train, [900]), item_features=about[1])
        if case=='twice': with_items(train, [train.item_names[3]])
    assert {'no features': 'give item_features', 'fewer': 'old ones must come first', 'rows': 'one for each row', 'twice': 'is there already'}[case] in str(e.value)

@pytest.mark.parametrize('make', [TwoTowers, MultVAE, LightGCN])
def test_interrupted(make, data, monkeypatch):
    "Ctrl-C in the second epoch keeps the first; in the first one it raises, and the model stays as it was"
    calls, real = [0], tt.torch.optim.AdamW.step
    def step(at):
        def inner(*args, **kwargs):
            calls[0] += 1
            if calls[0]==at: raise KeyboardInterrupt
            return real(*args, **kwargs)
        return inner
    per_epoch = (data[0].n_users-1)//8 if make is MultVAE else len(data[0])//8
    monkeypatch.setattr(tt.torch.optim.AdamW, 'step', step(per_epoch+2))
    run = fit(make(n_factors=4, n_epoch=3, bs=8), data[0], bar=False)
    assert run.interrupted and len(run.epochs)==1 and len(recommend(run.model, data[0], n=2))
    calls[0] = 0
    monkeypatch.setattr(tt.torch.optim.AdamW, 'step', step(1))
    model = make(n_factors=4, n_epoch=3, bs=8)
    with pytest.raises(KeyboardInterrupt): fit(model, data[0], bar=False)
    assert model.fitted_to is None

def test_a_loss_that_is_no_number_stops(data):
    t = dict(x=torch.zeros(3))
    with pytest.raises(FloatingPointError, match='smaller lr'):
        descend(t, lambda at, gen: t['x'].sum()*float('nan'), 10, 2, 5, .1, 0., bar=False)

@pytest.mark.parametrize('kw,says', [(dict(temperature=0), 'temperature'), (dict(correction=2), 'correction'), (dict(without_id=-.1), 'without_id'),
    (dict(n_factors=0), 'n_factors'), (dict(lr=-1), 'lr'), (dict(user_features=torch.tensor([[np.nan]])), 'finite')])
def test_settings(kw, says):
    with pytest.raises(ValueError, match=says): TwoTowers(**kw)

def test_two_stages_show_candidates_only(data):
    train, test = data
    first, second = fit(Popularity(), train, bar=False).model, fit(ALS(4), train, bar=False).model
    both = TwoStages(first, second, train, n=6)
    for u in train.user_names.index[:5]:
        assert set(recommend(both, train, u, 50).item)==set(recommend(first, train, u, 6).item)
    everything = TwoStages(first, second, train, n=10_000) # more than there are: the ranker alone
    assert evaluate(everything, test).nDCG==pytest.approx(evaluate(second, test).nDCG)
    with pytest.raises(ValueError, match='trained on'): TwoStages(first, second, Ratings(synthetic_ratings(9, 9, 40), item='movie'))

def test_cross_ranker_learns_and_moves(data, about):
    "A network that learned on one part reads models of another, and ranks candidates by what it reads"
    train, test = data
    a, b = train.split(seed=1)
    of = lambda r: [fit(TwoTowers(**small), r, bar=False).model, fit(ALS(4), r, bar=False).model]
    cross = CrossRanker(of(a), a, torch.rand(a.n_items, 4)).learn(b, n=20, n_epoch=3)
    towers, stars = of(train)
    moved = CrossRanker([towers, stars], train, torch.rand(train.n_items, 4), cross.net)
    x = moved.inputs(torch.tensor([1, 2]), torch.tensor([[3, 4], [5, 6]]))
    assert x.shape==(2, 2, 5)
    assert torch.allclose(x[0, :, 0], score_block(towers, [1])[0, [3, 4]]) and torch.allclose(x[1, :, 1], score_block(stars, [2])[0, [5, 6]])
    both = TwoStages(towers, moved, train, n=20)
    assert set(recommend(both, train, train.user_names[2], 20).item)==set(recommend(towers, train, train.user_names[2], 20).item)

def test_lightgcn_steps_have_the_gradient_of_the_product():
    from scipy import sparse
    A = sparse.random_array((6, 6), density=.5, rng=np.random.default_rng(0))
    A = (A+A.T).tocsr().astype(np.float32)
    E, w = torch.randn(6, 2, requires_grad=True), torch.randn(6, 2)
    (tt._Step.apply(E, A)*w).sum().backward()
    assert torch.allclose(E.grad, torch.from_numpy(A.toarray()).T@w, atol=1e-5)

def test_index_without_faiss_names_the_extra(monkeypatch):
    monkeypatch.setattr(tt, 'find_spec', lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'collab_lesson\[scale\]'): item_index(torch.randn(5, 2))

def test_exact_index():
    pytest.importorskip('faiss')
    x = torch.randn(300, 8)
    for kind in ('all', 'cells'):
        index = item_index(x, kind, n_cells=4)
        if kind=='cells': index.nprobe = 4
        assert np.array_equal(index.search(x[:9].numpy(), 5)[1], (x[:9]@x.T).topk(5).indices.numpy())
