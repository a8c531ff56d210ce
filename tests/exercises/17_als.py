"Checks of chapter 17: alternating least squares."
from checks import *

def check_dense_grams(dense_grams):
    "Row i of the table gives an outer product d dᵀ. A mask of users × items times these, laid flat, adds up those that a user has rated."
    users, items = torch.tensor([0, 0, 2]), torch.tensor([1, 2, 0])
    D = torch.tensor([[1., 2.], [1., -1.], [1., 3.]])
    outer = D[:,:,None]*D[:,None,:]
    want = torch.stack([outer[1]+outer[2], torch.zeros(2, 2), outer[0]])
    yield same(dense_grams(users, items, D, 3), want, 'DᵀD over the items of each user, zero for one without', {
        'this is the matrix of all items: only those that the user has rated count': outer.sum(0).expand(3, 2, 2),
        'these are means; the equations need sums': torch.stack([(outer[1]+outer[2])/2, torch.zeros(2, 2), outer[0]]),
        'only the diagonal is there: factors of an item occur together': want*torch.eye(2)})

def _wrong_grams(f):
    def dense_grams(users, items, D, n_users):
        mask = torch.zeros(n_users, len(D))
        mask[users,items] = 1
        return f((mask @ (D[:,:,None]*D[:,None,:]).flatten(1)).view(n_users, D.shape[1], -1), D, mask)
    return dense_grams

wrong_dense_grams = {
    'matrix of all items': _wrong_grams(lambda G, D, mask: (D.T@D).repeat(len(G), 1, 1)),
    'the equations need sums': _wrong_grams(lambda G, D, mask: G/mask.sum(1).clamp(min=1)[:,None,None]),
    'only the diagonal is there': _wrong_grams(lambda G, D, mask: G*torch.eye(D.shape[1])),
}

def check_weighted_sweep(weighted_sweep):
    "Add λ n to the diagonal of each user's matrix; a user without ratings needs some ridge as well, to have a solution."
    gram = torch.tensor([[[2., 1.], [1., 3.]], [[1., .5], [.5, 1.]]])
    rhs, count, lam = torch.tensor([[1., 2.], [1., -1.]]), torch.tensor([4, 2]), .5
    solve = lambda ridge: torch.linalg.solve(gram + ridge, rhs)
    eye, n = torch.eye(2), count[:,None,None]
    ok, right, why = same(weighted_sweep(gram, rhs, count, lam), solve(lam*n*eye), 'each user\'s ridge grows with the number of their ratings', {
        'everybody has the same ridge: multiply it by the number of ratings': solve(lam*eye),
        'the ridge shrinks with the number of ratings: it has to grow': solve(lam/n*eye),
        'the ridge lies on the diagonal: elsewhere it ties factors to each other': solve(lam*n*torch.ones(2, 2))})
    yield ok, right, why
    if ok: yield same(weighted_sweep(0*gram[:1], 0*rhs[:1], 0*count[:1], lam), torch.zeros(1, 2), 'somebody without ratings gets zeros')

wrong_weighted_sweep = {
    'everybody has the same ridge': lambda gram, rhs, count, lam: torch.linalg.solve(gram + lam*torch.eye(gram.shape[1]), rhs),
    'it has to grow': lambda gram, rhs, count, lam: torch.linalg.solve(gram + lam/count.clamp(min=1)[:,None,None]*torch.eye(gram.shape[1]), rhs),
    'lies on the diagonal': lambda gram, rhs, count, lam: torch.linalg.solve(gram + lam*count.clamp(min=1)[:,None,None], rhs),
}

def check_newcomer(newcomer):
    "What is left of the stars when mean and item biases are taken off, explained by a constant 1 and the factors, with a ridge."
    table = torch.tensor([[.5, 1., 0.], [-.2, .4, 1.], [.1, -1., .6], [0., .3, .3]])
    rows, stars, reg = torch.tensor([0, 2, 3]), torch.tensor([5., 4., 1.]), torch.tensor([3., 12., 12.])
    D = torch.cat([torch.ones(3, 1), table[rows,1:]], 1)
    solve = lambda y, r=reg: torch.linalg.solve(D.T@D + r.diag(), D.T@y)
    y = stars - 3.5 - table[rows,0]
    yield same(newcomer(table, rows, stars, 3.5, reg), solve(y), 'bias and factors of somebody new', {
        'the mean is not taken off: then the bias has to explain it, and the ridge holds it back': solve(stars - table[rows,0]),
        'the biases of the items are not taken off: whoever rates popular items looks generous': solve(stars - 3.5),
        'the ridge is left out: three ratings fix three numbers, however unlikely they are': solve(y, 0*reg)})

def _wrong_newcomer(mean_off=1, bias_off=1, ridge=1):
    def newcomer(table, rows, stars, mean, reg):
        D = torch.cat([torch.ones(len(rows), 1), table[rows,1:]], 1)
        return torch.linalg.solve(D.T@D + ridge*reg.diag(), D.T@(stars - mean_off*mean - bias_off*table[rows,0]))
    return newcomer

wrong_newcomer = {
    'the mean is not taken off': _wrong_newcomer(mean_off=0),
    'looks generous': _wrong_newcomer(bias_off=0),
    'ridge is left out': _wrong_newcomer(ridge=0),
}
