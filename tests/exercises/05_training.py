"Checks of chapter 5: training."
from checks import *
from collab_lesson.data import lesson_dls
from collab_lesson.ratings import synthetic_ratings
from collab_lesson.training import tensor_dls

def _loaders(stars=None, n=400, bs=16):
    "Loaders of made-up ratings and their sizes; `stars`: one number for all of the training part, and one for the validation part"
    df = synthetic_ratings(30, 40, n)
    train, valid = np.arange(n)[n//5:], np.arange(n)[:n//5]
    if stars: df['rating'] = np.where(np.arange(n) < n//5, stars[1], stars[0])
    dls = tensor_dls(lesson_dls(df, bs=bs, splits=(train, valid), device='cpu'))
    return dls, [len(dls.classes[o]) for o in ('user', 'title')]

def check_losses_of(losses_of):
    "What is random here? The first weights and the order of the batches. Both have to come after the seed."
    a, b, c = (list(losses_of(*_loaders(), seed)) for seed in (3, 3, 4))
    gone_on = b[0] < a[0] - 1
    yield a == b, 'the same seed gives the same losses, to the last digit', (
        'the second run goes on where the first has stopped: make a new model in each call' if gone_on else
        'the same seed gives other losses: set it before the model is made, because that draws the first weights')
    yield gone_on or a != c, 'another seed gives other losses', 'every seed gives the same losses: use the one that is given'

def _wrong_losses(early=True, new=True, given=True):
    models = []
    def losses_of(dls, sizes, seed):
        from fastai.torch_core import set_seed
        from collab_lesson.dot_product import DotProduct
        from collab_lesson.training import fit
        if early: set_seed(seed if given else 3)
        if new or not models: models.append(DotProduct(*sizes, 20))
        set_seed(seed if given else 3)
        return fit(models[-1], dls, 2, lr=.05, bar=False).losses if not new else fit(models[-1], dls, 2, bar=False).losses
    return losses_of

wrong_losses_of = {
    'set it before the model is made': _wrong_losses(early=False),
    'goes on where the first has stopped': _wrong_losses(new=False),
    'every seed gives the same losses': _wrong_losses(given=False),
}

def check_constant(constant):
    "Make an AdamW, call the chapter's `train` once an epoch, and measure when all is done."
    dls, sizes = _loaders((1, 5), 200)
    with watched() as steps: got = constant(dls, sizes, .005, 0)
    rates, n = {lr for lr,_ in steps}, len(steps)/len(dls.train)
    yield rates == {.005}, 'every step has the same rate', f'the rate changes from {min(rates):.2g} to {max(rates):.2g}: this is a schedule, such as the cycle of `fit`, and no constant rate'
    yield n == 5, 'five epochs', f'{n:g} epochs: the recipe has five'
    yield got > 5, 'the loss of the validation part', f'{got:.1f} is the loss of the training part: it says how well the model remembers'

def _wrong_constant(n=5, cycle=False, part='valid'):
    def constant(loaders, n_rows, lr, seed):
        from fastai.torch_core import set_seed
        from collab_lesson.dot_product import DotProduct
        from collab_lesson.training import fit, valid_loss
        set_seed(seed)
        model = DotProduct(*n_rows, 50)
        if cycle: return fit(model, loaders, lr=lr, bar=False).valid_loss
        opt = torch.optim.AdamW(model.parameters(), lr=lr, betas=(.9, .99), eps=1e-5)
        for _ in range(n):
            for x,y in loaders.train: opt.zero_grad(); ((model(x) - y.flatten())**2).mean().backward(); opt.step()
        return valid_loss(model, getattr(loaders, part))
    return constant

wrong_constant = {
    'this is a schedule': _wrong_constant(cycle=True),
    'the recipe has five': _wrong_constant(1),
    'how well the model remembers': _wrong_constant(part='train'),
}

def check_choose(choose):
    "All pairs of values, each with its mean over the seeds."
    table = {(.1, 1): [3, 3, 3], (.1, 2): [6, 6, 6], (.2, 1): [1, 9, 5], (.2, 2): [2.5, 2.5, 2.5]}
    got = choose(lambda lr, n, seed: table[lr, n][seed], (.1, .2), (1, 2), range(3))
    yield same(got, (.2, 2), 'the pair with the lowest mean loss', {
        'one lucky seed decided: compare means over the seeds': (.2, 1),
        'one value after the other misses pairs: the best rate for one number of epochs need not be the best for another': (.1, 1),
        'this pair has the highest mean loss': (.1, 2)})

def _all(rates, epochs): return [(lr, n) for lr in rates for n in epochs]
def _wrong_one_by_one(loss_of, rates, epochs, seeds):
    lr = min(rates, key=lambda o: sum(loss_of(o, epochs[0], s) for s in seeds))
    return lr, min(epochs, key=lambda n: sum(loss_of(lr, n, s) for s in seeds))

wrong_choose = {
    'one lucky seed': lambda loss_of, rates, epochs, seeds: min(_all(rates, epochs), key=lambda o: min(loss_of(*o, s) for s in seeds)),
    'one value after the other': _wrong_one_by_one,
    'highest mean loss': lambda loss_of, rates, epochs, seeds: max(_all(rates, epochs), key=lambda o: sum(loss_of(*o, s) for s in seeds)),
}
