"Checks of chapter 8: weight decay."
from checks import *

def check_sgd_step(sgd_step):
    "PyTorch's SGD adds wd·w to the gradient, and then takes its step."
    w, g = torch.tensor([2., -1.]), torch.tensor([.3, .2])
    yield same(sgd_step(w, g, .1, .5), w*(1-.05) - .1*g, 'the step of torch.optim.SGD', {
        'the decay is part of the gradient, so the rate scales it, too: lr·wd·w': w*(1-.5) - .1*g,
        'the weights grow: the sign of the decay is wrong': w*(1+.05) - .1*g,
        'the decay takes its share of the weights as they were, not of what is left after the step': (w - .1*g)*(1-.05)})

wrong_sgd_step = {
    'the rate scales it': lambda w, grad, lr, wd: w*(1-wd) - lr*grad,
    'the weights grow': lambda w, grad, lr, wd: w*(1+lr*wd) - lr*grad,
    'as they were': lambda w, grad, lr, wd: (w - lr*grad)*(1-lr*wd),
}

def check_penalized_step(penalized_step):
    "Mean squared error plus wd times the sum of the squares; the derivative of w² is 2w."
    w, t = torch.tensor([2., -1.]), torch.tensor([0., 1.])
    mse = (w-t)  # its gradient: 2(w-t)/2
    yield same(penalized_step(w, t, .1, .05), w - .1*(mse + .1*w), 'one step of SGD down the loss with its penalty', {
        'the derivative of w² is 2w: this is the step of weight_decay=wd': w - .1*(mse + .05*w),
        'the penalty takes no part in the step: it has to be in what `backward` sees': w - .1*mse,
        'the penalty has the weights themselves, not their squares: its pull is the same for large and small': w - .1*(mse + .05)})

wrong_penalized_step = {
    'derivative of w² is 2w': lambda w, target, lr, wd: w - lr*((w-target)*2/len(w) + wd*w),
    'takes no part in the step': lambda w, target, lr, wd: w - lr*(w-target)*2/len(w),
    'not their squares': lambda w, target, lr, wd: w - lr*((w-target)*2/len(w) + wd),
}

def check_choose_decay(choose_decay):
    "Shuffle the rows that are given, once, and cut off a fifth."
    calls, rows = [], np.arange(500, 600)
    def loss_of(fit_rows, held, wd):
        calls.append((set(fit_rows), set(held)))
        return {.03: .9, .1: .8, .3: .85}[wd]
    got = choose_decay(loss_of, rows, (.03, .1, .3))
    fit_rows, held = calls[0]
    yield fit_rows | held <= set(rows), 'only training rows are used', 'these are positions in the list, not the rows that it holds: some of them belong to the validation part'
    yield not fit_rows & held, 'the model is measured on rows that it has not seen', 'the model has seen the rows that it is measured on: no decay at all looks best there'
    yield all(o == calls[0] for o in calls), 'every value is measured on the same rows', 'each value has a split of its own: then luck with the rows is part of the comparison'
    yield same(got, .1, 'the value with the lowest loss')

def _wrong_decay(positions=False, apart=True, one=True):
    def choose_decay(loss_of, rows, values, seed=1):
        def loss(i, wd):
            order = np.random.default_rng(seed if one else seed+i).permutation(len(rows) if positions else rows)
            return loss_of(order[len(rows)//5:] if apart else order, order[:len(rows)//5], wd)
        losses = [loss(i, wd) for i,wd in enumerate(values)]
        return values[int(np.argmin(losses))]
    return choose_decay

wrong_choose_decay = {
    'positions in the list': _wrong_decay(positions=True),
    'has seen the rows': _wrong_decay(apart=False),
    'split of its own': _wrong_decay(one=False),
}
