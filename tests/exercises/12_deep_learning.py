"Checks of chapter 12: deep learning."
from checks import *
from torch import nn
from collab_lesson.bias import DotProductBias
from collab_lesson.data import lesson_dls
from collab_lesson.ratings import synthetic_ratings
from collab_lesson.training import tensor_dls

def check_count_params(count_params):
    "A linear layer from a to b numbers has a·b weights and b constants."
    yield same(tuple(count_params((10, 4), (20, 6), 7)), (160, 85), 'numbers in the tables, and in the network', {
        'each unit of a linear layer adds a constant of its own': (160, 77),
        'the vectors stand side by side: their lengths add up, they do not multiply': (160, 4*6*7+7+7+1),
        'a row of a table has many numbers: multiply by the length': (30, 85)})

wrong_count_params = {
    'a constant of its own': lambda users, movies, hidden=100: (users[0]*users[1] + movies[0]*movies[1], (users[1]+movies[1])*hidden + hidden),
    'they do not multiply': lambda users, movies, hidden=100: (users[0]*users[1] + movies[0]*movies[1], users[1]*movies[1]*hidden + hidden + hidden + 1),
    'multiply by the length': lambda users, movies, hidden=100: (users[0]+movies[0], (users[1]+movies[1])*hidden + hidden + hidden + 1),
}

def check_product_net(ProductNN, product_net):
    "One linear layer with all weights 1 and the constant 0 adds up what it gets."
    torch.manual_seed(0)
    net, x = product_net(4, 5, 3), torch.tensor([[1, 2], [3, 4], [0, 1]])
    u, m = (torch.randn(n, 3) for n in (4, 5))
    net.user_factors.weight.data, net.movie_factors.weight.data = u.clone(), m.clone()
    p = u[x[:,0]]*m[x[:,1]]
    yield same(net(x), p.sum(1), 'the network gives the dot product', {
        'weights of 1/n make a mean of the products: a dot product is their sum': p.mean(1),
        'a ReLU stands in between and cuts off negative products': p.relu().sum(1),
        'these are sums of the two vectors, not products': (u[x[:,0]]+m[x[:,1]]).sum(1)})

def _wrong_product(join=torch.mul, relu=False, weight=1.):
    class ProductNN(nn.Module):
        def __init__(self, n_users, n_movies, n):
            super().__init__()
            self.user_factors, self.movie_factors = nn.Embedding(n_users, n), nn.Embedding(n_movies, n)
            self.layers = nn.Linear(n, 1)
            self.layers.weight.data.fill_(weight if weight==1 else 1/n); self.layers.bias.data.zero_()
        def forward(self, x):
            p = join(self.user_factors(x[:,0]), self.movie_factors(x[:,1]))
            return self.layers(p.relu() if relu else p).squeeze(1)
    return dict(ProductNN=ProductNN, product_net=lambda n_users, n_movies, n_factors: ProductNN(n_users, n_movies, n_factors))

wrong_product_net = {
    'make a mean of the products': _wrong_product(weight=0.),
    'cuts off negative products': _wrong_product(relu=True),
    'not products': _wrong_product(join=torch.add),
}

def check_product_pairs(product_pairs):
    "Draw as the chapter does: `torch.randn(2, n, d)/d**.25`; then p, q and p·q side by side."
    torch.manual_seed(0)
    x, y = product_pairs(4000, 5)
    p, q, pq = x[:,:5], x[:,5:10], x[:,10:]
    yield same(tuple(x.shape), (4000, 15), 'three blocks of d numbers')
    yield near(pq.sum(1), y), 'the third block adds up to the answer', 'the third block is not the entry-wise product: its sum has to be y'
    alike = (p-q).abs().mean() < 1e-6
    yield not alike, 'two different vectors', 'both vectors are the same draw: then y is a square, never negative'
    yield alike or .8 < y.var() < 1.25, 'y has a variance of about 1', f'y has a variance of {y.var():.2f}, so no error can be compared with the chapter\'s: divide by d to the power 1/4'

def _wrong_pairs(scale=.25, two=True, product=torch.mul):
    def product_pairs(n, d=10):
        p, q = torch.randn(2, n, d)/d**scale
        if not two: q = p
        return torch.cat([p, q, product(p, q)], 1), (p*q).sum(1)
    return product_pairs

wrong_product_pairs = {
    'is not the entry-wise product': _wrong_pairs(product=torch.add),
    'both vectors are the same': _wrong_pairs(two=False),
    'divide by d to the power': _wrong_pairs(scale=0),
}

def _tiny():
    dls = tensor_dls(lesson_dls(synthetic_ratings(20, 30, 300), bs=32, device='cpu'))
    return dls, lambda *sizes: DotProductBias(*sizes, 5)

def check_loss_after(loss_after):
    "Seed, model, `fit` with two epochs and the three settings; the `Run` has the loss."
    dls, make = _tiny()
    with watched() as steps: a = loss_after(make, dls, 1)
    b, n = loss_after(make, dls, 1), len(steps)/len(dls.train)
    yield a == b, 'the same seed gives the same loss', 'two runs with one seed differ: set it before the model is made'
    yield n == 2, 'two epochs', f'{n:g} epochs, and the question is what two do'
    yield near(steps[0][1], .3), 'a decay of .3', f'the decay is {steps[0][1]:g}: without .3, the network over-fits and the two are not comparable'
    yield near(max(lr for lr,_ in steps), .01, .01), 'a top rate of .01', 'the top rate is not the .01 of the task'

def _wrong_after(early=True, n=2, wd=.3):
    def loss_after(cls, dls, seed):
        from fastai.torch_core import set_seed
        from collab_lesson.training import fit
        if early: set_seed(seed)
        model = cls(len(dls.classes['user']), len(dls.classes['title']))
        set_seed(seed)
        return fit(model, dls, n, lr=1e-2, wd=wd, bar=False).valid_loss
    return loss_after

wrong_loss_after = {
    'before the model is made': _wrong_after(early=False),
    'what two do': _wrong_after(n=5),
    'without .3': _wrong_after(wd=None),
}
