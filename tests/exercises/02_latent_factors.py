"Checks of chapter 2: latent factors."
from checks import *
from itertools import combinations

def check_sweep(sweep):
    "For each cell: find the error once, keep the user's old factors, then move both."
    users, movies = [[1., 2.]], [[1., 1.], [2., 0.]]
    sweep(users, movies, [(0, 0, 1.)], .1)
    yield same(users[0], [.6, 1.6], 'after one cell the user\'s factors have moved by lr times their gradient', {
        'the derivative of a square has a factor of 2': [.8, 1.8]})
    yield same(movies, [[.6, .2], [2., 0.]], 'the film moves from the same point as the user', {
        'the film\'s step uses the user\'s factors from before: keep them until both have moved': [[.76, .36], [2., 0.]]})
    users, movies = [[1., 2.]], [[1., 1.], [2., 0.]]
    sweep(users, movies, [(0, 0, 1.), (0, 1, 1.)], .1)
    yield same([users, movies], [[[.52, 1.6]], [[.6, .2], [1.976, -.064]]], 'the second cell sees what the first has changed', {
        'all cells were added up before the step: that is one step, not a sweep': [[[.2, 1.6]], [[.6, .2], [1.8, -.4]]]})

def _wrong_sweep(two=2, old=True, batch=False):
    def sweep(users, movies, known, lr):
        u0, m0 = [list(o) for o in users], [list(o) for o in movies]
        for i,j,r in known:
            u, m = (u0[i], m0[j]) if batch else (users[i], movies[j])
            e = sum(a*b for a,b in zip(u, m)) - r
            new = [a - lr*two*e*b for a,b in zip(users[i], m)]
            movies[j] = [b - lr*two*e*a for a,b in zip(u if old else new, movies[j])]
            users[i] = new
    return sweep

wrong_sweep = {
    'factor of 2': _wrong_sweep(two=1),
    'from before': _wrong_sweep(old=False),
    'not a sweep': _wrong_sweep(batch=True),
}

def _losses(n, lr, mean=True, add=False):
    u, m, r = np.array([[1.]]), np.array([[1.], [2.]]), np.array([2., 1.])
    losses, gu, gm = [], 0, 0
    for _ in range(n):
        e = (m@u.T)[:,0] - r
        losses.append((e**2).mean() if mean else (e**2).sum())
        k = 2/len(e) if mean else 2
        gu, gm = k*e@m + (gu if add else 0), k*e[:,None]*u + (gm if add else 0)
        u, m = u - lr*gu, m - lr*gm
    return losses

def check_torch_losses(torch_losses):
    "Three lines in each step: the loss, `backward()`, and under `torch.no_grad()` the step. What does `backward` do to a gradient that is there already?"
    got = torch_losses([[1.]], [[1.], [2.]], [(0, 0, 2.), (0, 1, 1.)], 3, lr=.1)
    yield same(got, _losses(3, .1), 'three losses, each from before its step, as with the loops', {
        'gradients add up from step to step: set them to zero after each': _losses(3, .1, add=True),
        'this is the sum of the squared errors; the loss is their mean': _losses(3, .1, mean=False),
        'each loss is taken after its step: the first belongs to the start': _losses(4, .1)[1:]})

def _wrong_torch(reduce=torch.mean, zero=True, after=False):
    def torch_losses(users, movies, known, n, lr=.3):
        U, M = (torch.tensor(o, dtype=torch.double, requires_grad=True) for o in (users, movies))
        i, j, r = torch.tensor(known).double().T
        losses, f = [], lambda: reduce(((U[i.long()]*M[j.long()]).sum(1) - r)**2)
        for _ in range(n):
            loss = f(); loss.backward()
            with torch.no_grad():
                for p in (U, M):
                    p -= lr*p.grad
                    if zero: p.grad.zero_()
            losses.append((f() if after else loss).item())
        return losses
    return torch_losses

wrong_torch_losses = {
    'add up from step to step': _wrong_torch(zero=False),
    'sum of the squared errors': _wrong_torch(torch.sum),
    'after its step': _wrong_torch(after=True),
}

def check_most_alike(most_alike):
    "The cosine of an angle is the dot product of the two vectors, each divided by its length."
    v = [(1, 0), (3, .3), (0, 1), (.3, 1.2), (4, 3), (-1, 0)]
    yield same(tuple(most_alike([np.array(o) for o in v])), (0, 1), 'the pair with the smallest angle', {
        'the nearest two points are not the two with the smallest angle: lengths do not count': (2, 3),
        'the largest dot product favors long vectors: divide by the lengths': (1, 4),
        'an angle of 180 degrees has the cosine -1: these two are the least alike': (0, 5)})

def _wrong_alike(f): return lambda factors: max(combinations(range(len(factors)), 2), key=lambda p: f(factors[p[0]], factors[p[1]]))

wrong_most_alike = {
    'nearest two points': _wrong_alike(lambda a, b: -np.linalg.norm(a-b)),
    'largest dot product': _wrong_alike(lambda a, b: a@b),
    'least alike': _wrong_alike(lambda a, b: round(abs(a@b)/np.linalg.norm(a)/np.linalg.norm(b), 9)),
}
