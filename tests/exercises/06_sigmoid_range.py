"Checks of chapter 6: a range for the answers."
from checks import *
from collab_lesson.data import lesson_dls
from collab_lesson.ratings import synthetic_ratings
from collab_lesson.training import tensor_dls

def check_slope(slope):
    "The derivative of σ is σ(1-σ). Write both factors in terms of the stars r, or use the chain rule."
    z = torch.linspace(-3, 3, 7)
    s = torch.sigmoid(z)
    r = 1 + 5*s
    yield same(slope(z, 1, 6), 5*s*(1-s), 'the slope for limits of 1 and 6', {
        'this is the slope of σ itself: the range stretches it by hi - lo': s*(1-s),
        'r(hi-r)/hi holds for lo = 0 only': r*(6-r)/6,
        'σ itself is not its derivative: at both ends the curve is flat': 5*s})

wrong_slope = {
    'slope of σ itself': lambda z, lo, hi: torch.sigmoid(z)*(1-torch.sigmoid(z)),
    'lo = 0 only': lambda z, lo, hi: (r := lo + (hi-lo)*torch.sigmoid(z))*(hi-r)/hi,
    'not its derivative': lambda z, lo, hi: (hi-lo)*torch.sigmoid(z),
}

def check_logit_range(logit_range):
    "Undo one operation after the other: first the shift, then the stretch, then σ."
    r = torch.tensor([2., 3., 4.])
    p = (r-1)/5
    yield same(logit_range(r, 1, 6), torch.log(p/(1-p)), 'the inverse for limits of 1 and 6', {
        'lo is not taken off before the division': torch.log(r/(5-r)),
        'the inverse of σ is the log of the odds p/(1-p), not of p': torch.log(p),
        'it falls where σ rises: the odds are upside down': torch.log((1-p)/p)})

wrong_logit_range = {
    'lo is not taken off': lambda r, lo, hi: torch.logit(r/(hi-lo)),
    'log of the odds': lambda r, lo, hi: torch.log((r-lo)/(hi-lo)),
    'upside down': lambda r, lo, hi: -torch.logit((r-lo)/(hi-lo)),
}

def check_one_epoch(one_epoch):
    "`Shifted` takes a model and a constant; `train`, above, sets the seed before it makes the model."
    df = synthetic_ratings(20, 30, 300).assign(rating=5)
    dls = tensor_dls(lesson_dls(df, bs=16, device='cpu'))
    sizes = [len(dls.classes[o]) for o in ('user', 'title')]
    with watched() as steps: a, b = one_epoch(dls, sizes, 5), one_epoch(dls, sizes, 5)
    yield a == b, 'two runs give the same loss', 'two runs differ: set the seed before the model is made, which draws its weights'
    n = len(steps)/2/len(dls.train)
    yield n == 1, 'one epoch', f'{n:g} epochs: after more of them the start hardly matters'
    yield a < 1 < one_epoch(dls, sizes, 0), 'the start is the constant that is given', 'the start makes no difference: the constant has to be added to each prediction'

def _wrong_epoch(early=True, n=1, used=True):
    def one_epoch(dls, sizes, start, seed=42):
        from fastai.torch_core import set_seed
        from collab_lesson.dot_product import DotProduct
        from collab_lesson.sigmoid_range import Shifted
        from collab_lesson.training import fit
        if early: set_seed(seed)
        model = Shifted(DotProduct(*sizes, 50), start if used else 0)
        set_seed(seed)
        return float(fit(model, dls, n, wd=0, bar=False).valid_loss)
    return one_epoch

wrong_one_epoch = {
    'two runs differ': _wrong_epoch(early=False),
    'the start hardly matters': _wrong_epoch(n=5),
    'makes no difference': _wrong_epoch(used=False),
}
