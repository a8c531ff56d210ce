"Checks of chapter 4: the dot product."
from checks import *
from collab_lesson.data import lesson_dls
from collab_lesson.dot_product import DotProduct
from collab_lesson.ratings import synthetic_ratings

def check_count_params(count_params):
    "`parameters()` gives tensors, `numel()` the numbers in one."
    yield same(count_params(DotProduct(3, 4, 5)), 35, 'three users and four films with five numbers each', {
        'this counts tensors; each holds many numbers': 2, 'this counts rows; each holds n_factors numbers': 7, 'these are bytes; each number takes four of them': 140})

wrong_count_params = {
    'this counts tensors': lambda model: len(list(model.parameters())),
    'this counts rows': lambda model: sum(len(p) for p in model.parameters()),
    'these are bytes': lambda model: sum(p.numel()*p.itemsize for p in model.parameters()),
}

def check_twin_of(twin_of):
    "(uA)·(mB) = u A Bᵀ mᵀ: which B makes A Bᵀ the identity?"
    torch.manual_seed(0)
    model, A = DotProduct(4, 5, 2), torch.tensor([[2., 1.], [0., 1.]])
    U, M = (o.weight.data.clone() for o in (model.user_factors, model.movie_factors))
    twin = twin_of(model, A)
    yield same(twin.user_factors.weight, U@A, 'the users\' table is multiplied by A')
    yield same(twin.movie_factors.weight, M@torch.linalg.inv(A).T, 'the films\' table is multiplied by the inverse transpose', {
        'the inverse is not transposed: A times its inverse meets only if the second is transposed': M@torch.linalg.inv(A),
        'both tables are multiplied by A: then the products change to u A Aᵀ mᵀ': M@A})
    yield near(model.user_factors.weight, U), 'the first model is as it was', 'the first model has changed, too: fill the tables of a new one'

def _wrong_twin(f, new=True):
    def twin_of(model, A):
        twin = DotProduct(*(o.num_embeddings for o in (model.user_factors, model.movie_factors)), len(A)) if new else model
        twin.user_factors.weight.data, twin.movie_factors.weight.data = model.user_factors.weight.data@A, model.movie_factors.weight.data@f(A)
        return twin
    return twin_of

wrong_twin_of = {
    'is not transposed': _wrong_twin(torch.linalg.inv),
    'both tables are multiplied by A': _wrong_twin(lambda A: A),
    'has changed, too': _wrong_twin(lambda A: torch.linalg.inv(A).T, new=False),
}

def check_train_thin(train_thin):
    "The call is in this chapter; look at what stands before it, at the number of epochs and at `wd`."
    dls = lesson_dls(synthetic_ratings(20, 30, 300), device='cpu')
    sizes = [len(dls.classes[o]) for o in ('user', 'title')]
    a, b = train_thin(dls, sizes, 5), train_thin(dls, sizes, 5)
    yield same(tuple(a.model.movie_factors.weight.shape), (sizes[1], 5), 'a table of n_factors columns')
    yield near(a.recorder.values[-1], list(b.recorder.values[-1])), 'two runs give the same losses', 'two runs differ: set the seed before the model is made, which draws its weights'
    yield len(a.recorder.values) == 5, 'five epochs', f'the recipe has five epochs, and this ran {len(a.recorder.values)}'
    yield a.opt.hypers[0].get('wd') == 0, 'no weight decay', 'fastai has a weight decay of its own unless you say wd=0'

def _wrong_thin(early=True, n=5, **kwargs):
    def train_thin(dls, sizes, n_factors, seed=42):
        from fastai.learner import Learner
        from fastai.losses import MSELossFlat
        from fastai.torch_core import set_seed
        if early: set_seed(seed)
        model = DotProduct(*sizes, n_factors)
        set_seed(seed)
        learn = Learner(dls, model, loss_func=MSELossFlat())
        with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(n, 5e-3, **kwargs)
        return learn
    return train_thin

wrong_train_thin = {
    'two runs differ': _wrong_thin(early=False, wd=0),
    'has five epochs': _wrong_thin(n=1, wd=0),
    'a weight decay of its own': _wrong_thin(),
}
