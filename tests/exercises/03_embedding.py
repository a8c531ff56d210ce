"Checks of chapter 3: embedding."
from checks import *

def check_mean_rows(mean_rows):
    "The mean over k of the one-hot rows of a user is one row with the weights of the films; multiply it with the table."
    W = torch.tensor([[1., 10.], [2., 20.], [4., 40.], [8., 80.]], requires_grad=True)
    idx = torch.tensor([[0, 0, 2], [1, 3, 3]])
    out = mean_rows(idx, W)
    yield same(out, torch.tensor([[2., 20.], [6., 60.]]), 'the mean of three rows for each user', {
        'these are sums of rows: divide by their number': torch.tensor([[6., 60.], [18., 180.]]),
        'a row that occurs twice counts twice in the mean': torch.tensor([[2.5, 25.], [5., 50.]])})
    grad = torch.autograd.grad(out.sum(), W)[0] if out.requires_grad else torch.zeros_like(W)
    yield (near(grad[:,0], [2/3, 1/3, 1/3, 2/3]) or not near(out.detach(), torch.tensor([[2., 20.], [6., 60.]])), 'the gradient reaches each row that was read, as often as it was read',
           'no gradient reaches the table: work on `weight` itself, without `.data` or `detach`')

def _wrong_mean(f): return lambda idx, weight: torch.stack([f(weight, o) for o in idx])

wrong_mean_rows = {
    'sums of rows': _wrong_mean(lambda w, o: w[o].sum(0)),
    'counts twice': _wrong_mean(lambda w, o: w[o.unique()].mean(0)),
    'no gradient reaches': _wrong_mean(lambda w, o: w.data[o].mean(0)),
}

def check_DotLookup(DotLookup):
    "The derivative of a product after one factor is the other factor, times what arrives from above. Rows that are read twice get both parts."
    us, ms, g = torch.tensor([0, 1, 0]), torch.tensor([2, 2, 1]), torch.tensor([1., 10., 100.])
    U, M = (torch.arange(1., 7).view(3, 2).add(o).requires_grad_() for o in (0, 10))
    plain = (U[us]*M[ms]).sum(-1)
    out = DotLookup.apply(us, ms, U, M)
    yield same(out, plain.detach(), 'forward gives the dot products of the rows')
    dU, dM = torch.autograd.grad(out, (U, M), g)
    u, m = U.detach(), M.detach()
    want = torch.autograd.grad(plain, (U, M), g, retain_graph=True)
    once = torch.zeros_like(u), torch.zeros_like(m)
    once[0][us], once[1][ms] = g[:,None]*m[ms], g[:,None]*u[us]
    own = torch.zeros_like(u).index_add(0, us, g[:,None]*u[us]), torch.zeros_like(m).index_add(0, ms, g[:,None]*m[ms])
    yield same((dU, dM), want, 'backward gives the gradients of both tables', {
        'a row that is read twice keeps only its last part: add up, do not overwrite': once,
        'the gradient of a row is the row on the other side, not the row itself': own,
        'what arrives from above is left out: multiply by it': torch.autograd.grad(plain, (U, M), torch.ones(3))})

def _wrong_lookup(rows=lambda u, m: (m, u), times=lambda g: g, add=True):
    class DotLookup(torch.autograd.Function):
        @staticmethod
        def forward(ctx, users, movies, U, M):
            ctx.save_for_backward(users, movies, U, M)
            return (U[users]*M[movies]).sum(-1)
        @staticmethod
        def backward(ctx, g):
            users, movies, U, M = ctx.saved_tensors
            grads = []
            for idx,table,row in zip((users, movies), (U, M), rows(U[users], M[movies])):
                d, part = torch.zeros_like(table), times(g)[:,None]*row
                if add: d.index_add_(0, idx, part)
                else: d[idx] = part
                grads.append(d)
            return None, None, *grads
    return DotLookup

wrong_DotLookup = {
    'do not overwrite': _wrong_lookup(add=False),
    'the row on the other side': _wrong_lookup(rows=lambda u, m: (u, m)),
    'arrives from above is left out': _wrong_lookup(times=torch.ones_like),
}

def check_row_counts(row_counts):
    "Look at one entry: row a, column b of the product adds up, over the batch, whether a and b are both hot."
    idx = torch.tensor([1, 3, 1, 1])
    count = torch.tensor([0, 3, 0, 1])
    yield same(row_counts(idx, 4), count.diag(), 'how often each user occurs, on the diagonal', {
        'a user who occurs three times counts three times': (count>0).long().diag(),
        'two different users are never hot in the same row of the batch: all that is off the diagonal is 0': torch.outer(count, count),
        'these are shares of the batch; the product holds counts': (count/4).diag()})

wrong_row_counts = {
    'counts three times': lambda idx, n: torch.zeros(n).long().index_fill(0, idx, 1).diag(),
    'never hot in the same row': lambda idx, n: torch.outer(*[torch.bincount(idx, minlength=n)]*2),
    'shares of the batch': lambda idx, n: (torch.bincount(idx, minlength=n)/len(idx)).diag(),
}

def check_train_from(train_from):
    "Take the loss n_steps + 1 times, and a step after each of them but the last."
    a, b = train_from(.01, 0, 1)
    yield near(train_from(.01, 0, 1)[0], a, 1e-9), 'the same seed gives the same numbers', 'the same seed gives other numbers: set it before the stars and the weights are drawn'
    yield b < a, 'one step lowers the loss', 'after one step the loss at the end is still that of the start: take it after the last step'
    start = train_from(2, 0, 0)[0]
    yield 500 < start < 1200, 'weights with a standard deviation of 2 start far away', f'the standard deviation of the weights is not `std`: drawn with 2, products of 50 weights have a mean square near 800, and yours is {start:.0f} (is `std` used as a variance?)'

def _wrong_train(seeded=True, last=True, power=1):
    def train_from(std, seed, n_steps=20):
        if seeded: torch.manual_seed(seed)
        stars = torch.randint(1, 6, (20, 30)).float()
        tables = [(torch.randn(n, 50)*std**power).requires_grad_() for n in (20, 30)]
        opt, losses = torch.optim.Adam(tables, lr=.01), []
        for _ in range(n_steps + last or 1):
            loss = ((tables[0]@tables[1].T - stars)**2).mean()
            losses.append(loss.item()); opt.zero_grad(); loss.backward(); opt.step()
        return losses[0], losses[-1]
    return train_from

wrong_train_from = {
    'set it before': _wrong_train(seeded=False),
    'after the last step': _wrong_train(last=False),
    'is not `std`': _wrong_train(power=.5),
}
