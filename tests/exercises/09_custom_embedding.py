"Checks of chapter 9: a custom embedding."
from checks import *
from collab_lesson.custom_embedding import DotProductBiasCustom
from torch import nn

def check_Centered(Centered):
    "`register_buffer` keeps a tensor with the model: saved and moved, but not trained."
    torch.manual_seed(0)
    model, x = Centered(4, 5, 3, mean=3.5), torch.tensor([[1, 2], [3, 4]])
    parts = (model.user_factors[x[:,0]]*model.movie_factors[x[:,1]]).sum(1) + model.user_bias[x[:,0]] + model.movie_bias[x[:,1]]
    yield same(model(x), (3.5 + parts).detach(), 'the prediction is the mean plus biases plus the match', {
        'the sum is squeezed into a range: this model has none': (torch.sigmoid(3.5 + parts)*5.5).detach()})
    yield len(list(model.parameters())) == 4, 'four tensors are trained', 'the mean is trained, too: a buffer is no parameter'
    yield 'mean' in model.state_dict(), 'the mean is saved with the model', 'the mean is not in `state_dict()`: a plain attribute is neither saved nor moved to a GPU'

def _wrong_centered(keep=lambda self, mean: self.register_buffer('mean', torch.tensor(mean)), squeeze=lambda o: o):
    class Centered(DotProductBiasCustom):
        def __init__(self, *args, mean):
            super().__init__(*args)
            keep(self, mean)
        def forward(self, x):
            u,m = x.T
            return squeeze(self.mean + self.user_bias[u] + self.movie_bias[m] + (self.user_factors[u]*self.movie_factors[m]).sum(1))
    return Centered

wrong_Centered = {
    'a buffer is no parameter': _wrong_centered(lambda self, mean: self.register_parameter('mean', nn.Parameter(torch.tensor(mean)))),
    'not in `state_dict()`': _wrong_centered(lambda self, mean: setattr(self, 'mean', torch.tensor(mean))),
    'this model has none': _wrong_centered(squeeze=lambda o: torch.sigmoid(o)*5.5),
}

def check_OneTable(OneTable):
    "Film 0 stands behind the last user. The last column holds the biases."
    model, x = OneTable(3, 4, 2), torch.tensor([[0, 0], [2, 3], [1, 0]])
    t = torch.arange(1., 22).view(7, 3)/10 - 1
    t = t*torch.tensor([1., -.5, .3])
    model.table.data = t.clone()
    u, m = t[x[:,0]], t[x[:,1]+3]
    predict = lambda f: torch.sigmoid(f)*5.5
    yield same(model(x), predict((u[:,:2]*m[:,:2]).sum(1) + u[:,2] + m[:,2]), 'the prediction of the model with four tables', {
        'films read the rows of users: they start after the last user': predict((u[:,:2]*t[x[:,1]][:,:2]).sum(1) + u[:,2] + t[x[:,1]][:,2]),
        'the biases are multiplied as well: the last column is no factor': predict((u*m).sum(1) + u[:,2] + m[:,2]),
        'the bias of the film is missing': predict((u[:,:2]*m[:,:2]).sum(1) + u[:,2])})

def _wrong_table(shift=True, k=-1, films=True):
    class OneTable(nn.Module):
        def __init__(self, n_users, n_movies, n_factors):
            super().__init__()
            self.n_users, self.table = n_users, nn.Parameter(torch.randn(n_users+n_movies, n_factors+1)*.01)
        def forward(self, x):
            u, m = self.table[x[:,0]], self.table[x[:,1] + self.n_users*shift]
            return torch.sigmoid((u[:,:k]*m[:,:k]).sum(1) + u[:,-1] + m[:,-1]*films)*5.5
    return OneTable

wrong_OneTable = {
    'after the last user': _wrong_table(shift=False),
    'is no factor': _wrong_table(k=3),
    'bias of the film is missing': _wrong_table(films=False),
}

def check_forgotten(forgotten):
    "`vars(module)` has the plain attributes of one module; `named_modules()` goes through all of them."
    class Part(nn.Module):
        def __init__(self): super().__init__(); self.weight, self.lost = nn.Parameter(torch.ones(2)), torch.ones(3)
    class Whole(nn.Module):
        def __init__(self): super().__init__(); self.part, self.table, self.n = Part(), torch.ones(2, 2), 5; self.register_buffer('mean', torch.ones(1))
    got = list(forgotten(Whole()))
    yield 'table' in got, 'a plain tensor of the model is found', f'the plain tensor `table` is not among {got}'
    yield 'part.lost' in got, 'so is one of a part of it', 'the parts of a model have attributes of their own: `part.lost` is missing'
    yield 'part.weight' not in got, 'a parameter is not forgotten', '`part.weight` is a parameter: the optimizer gets it'
    yield 'mean' not in got, 'nor is a buffer', '`mean` is a buffer: it is kept on purpose, saved but not trained'
    yield len(got) == 2 or {'part.weight', 'mean'} & set(got) or 'part.lost' not in got, 'there is nothing else in the list', f'{got} has more than the two tensors'

_wrong_found = lambda model: [f'{name}.{k}'.lstrip('.') for name,m in model.named_modules() for k,v in vars(m).items() if torch.is_tensor(v)]

wrong_forgotten = {
    'attributes of their own': lambda model: [k for k,v in vars(model).items() if torch.is_tensor(v)],
    'the optimizer gets it': lambda model: _wrong_found(model) + [k for k,_ in model.named_parameters()],
    'it is kept on purpose': lambda model: _wrong_found(model) + [k for k,_ in model.named_buffers()],
}
