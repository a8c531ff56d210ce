"Checks of chapter 13: cold start."
from checks import *
import torch.nn.functional as F
from collab_lesson.bias import DotProductBias
from collab_lesson.data import lesson_dls
from collab_lesson.ratings import synthetic_ratings
from collab_lesson.training import tensor_dls

def check_fold_in_dual(fold_in_dual):
    "m is what the ratings leave of the films' biases and of D·x₀; in the end x₀ comes back."
    torch.manual_seed(0)
    model, rows, stars, lam = DotProductBias(5, 8, 3), torch.tensor([1, 4, 6]), torch.tensor([4., 2., 5.]), 2.
    for t in (model.movie_factors, model.movie_bias): t.weight.data.normal_()
    prior, films = torch.tensor([.3, -.2, .5, .1]), torch.cat([model.movie_factors.weight, model.movie_bias.weight], 1).detach()
    D, score = F.pad(films[rows,:-1], (0, 1), value=1.), torch.logit(stars/5.5)
    ridge = lambda m: torch.linalg.solve(D.T@D + lam*torch.eye(4), D.T@m)
    m = score - films[rows,-1] - D@prior
    yield same(fold_in_dual(model, rows, stars, prior, reg=lam), prior + ridge(m), 'the vector of `fold_in`, from a system of three equations', {
        'x₀ is missing at the end: what the ratings add is no vector of a user': ridge(m),
        'x₀ is not taken off the ratings first: it is counted twice': prior + ridge(score - films[rows,-1]),
        'the films\' biases are not taken off the ratings': prior + ridge(score - D@prior)})

def _wrong_dual(back=1, off=1, bias=1):
    def fold_in_dual(model, rows, ratings, prior, reg=7.):
        w, b = model.movie_factors.weight.detach()[rows], model.movie_bias.weight.detach()[rows, 0]
        D = F.pad(w, (0, 1), value=1.)
        m = torch.logit(ratings/5.5) - b*bias - D@prior*off
        return prior*back + D.T@torch.linalg.solve(D@D.T + reg*torch.eye(len(D)), m)
    return fold_in_dual

wrong_fold_in_dual = {
    'is missing at the end': _wrong_dual(back=0),
    'is counted twice': _wrong_dual(off=0),
    'biases are not taken off': _wrong_dual(bias=0),
}

def check_with_covariance(with_covariance):
    "The same shape as in exercise 1, with S between D and its transpose, and in front."
    D, m = torch.tensor([[1., 2., 1.], [0., 1., 1.]]), torch.tensor([.5, -1.])
    S, x0, s2 = torch.tensor([[2., .5, 0.], [.5, 1., .2], [0., .2, .5]]), torch.tensor([.1, .2, .3]), .4
    eye = torch.eye(2)
    yield same(with_covariance(D, m, x0, S, s2), x0 + S@D.T@torch.linalg.solve(D@S@D.T + s2*eye, m), 'the user\'s vector', {
        'S stands in front, too: without it all directions get the same share': x0 + D.T@torch.linalg.solve(D@S@D.T + s2*eye, m),
        'σ² belongs on the diagonal: each rating has a noise of its own': x0 + S@D.T@torch.linalg.solve(D@S@D.T + s2, m),
        'x₀ is missing: a user without ratings is the average user, not zero': S@D.T@torch.linalg.solve(D@S@D.T + s2*eye, m)})

wrong_with_covariance = {
    'S stands in front': lambda D, m, x0, S, s2: x0 + D.T@torch.linalg.solve(D@S@D.T + s2*torch.eye(len(D)), m),
    'belongs on the diagonal': lambda D, m, x0, S, s2: x0 + S@D.T@torch.linalg.solve(D@S@D.T + s2, m),
    'x₀ is missing': lambda D, m, x0, S, s2: S@D.T@torch.linalg.solve(D@S@D.T + s2*torch.eye(len(D)), m),
}

def check_trained(trained):
    "As in `hold_out`, at the top of the chapter: the seed, the model, `fit` with its rate and decay."
    dls = tensor_dls(lesson_dls(synthetic_ratings(20, 30, 300), bs=32, device='cpu'))
    with watched() as steps: a = trained(dls, 3, n_epoch=2)
    b, n = trained(dls, 3, n_epoch=2), len(steps)/len(dls.train)
    yield near(a.movie_factors.weight, b.movie_factors.weight.detach()), 'the same seed gives the same model', 'the same seed gives another model: set it before the model is made'
    yield n == 2, 'as many epochs as asked for', f'{n:g} epochs where 2 were asked for'
    yield near(steps[0][1], .3), 'a decay of .3', f'the decay is {steps[0][1]:g}, not the .3 of the other models: then two things differ, and you cannot tell which one matters'

def _wrong_trained(early=True, given=True, wd=.3):
    def trained(dls, seed, n_epoch):
        from fastai.torch_core import set_seed
        from collab_lesson.training import fit
        if early: set_seed(seed)
        model = DotProductBias(len(dls.classes['user']), len(dls.classes['title']), 50)
        fit(model, dls, n_epoch if given else 5, lr=1e-2, wd=wd, bar=False)
        return model
    return trained

wrong_trained = {
    'before the model is made': _wrong_trained(early=False),
    'where 2 were asked for': _wrong_trained(given=False),
    'cannot tell which one matters': _wrong_trained(wd=None),
}
