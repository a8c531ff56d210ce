"Checks of chapter 11: collab_learner."
from checks import *
import tempfile
from types import SimpleNamespace
from fastai.collab import EmbeddingDotBias
from collab_lesson.bias import DotProductBias
from collab_lesson.data import lesson_dls
from collab_lesson.ratings import synthetic_ratings
from collab_lesson.training import tensor_dls

def check_unknown_film(unknown_film):
    "Row 0 stands for every unknown film. It was never trained: its factors and its bias are nearly zero."
    torch.manual_seed(0)
    model = EmbeddingDotBias(4, 3, 5, y_range=(0, 5.5))
    model.u_bias.weight.data = torch.tensor([[0.], [.4], [-.8]]); model.i_bias.weight.data.fill_(.5)
    b = torch.tensor(-.8)
    yield same(unknown_film(model, 2), (5.5*torch.sigmoid(b)), 'the user\'s level alone decides', {
        'a bias is no number of stars: it goes through the sigmoid and the range': b,
        'the sigmoid ends at 1; the range stretches it to 5.5': torch.sigmoid(b),
        'the mean bias of the films takes no part: the row of unknown films was never trained': 5.5*torch.sigmoid(b+.5)})

wrong_unknown_film = {
    'no number of stars': lambda model, row: model.u_bias.weight.detach()[row, 0],
    'the sigmoid ends at 1': lambda model, row: torch.sigmoid(model.u_bias.weight.detach()[row, 0]),
    'takes no part': lambda model, row: 5.5*torch.sigmoid(model.u_bias.weight.detach()[row, 0] + model.i_bias.weight.detach().mean()),
}

def check_named(save_named, load_named):
    "Save a dict with weights, names and range; load it with `weights_only=True`, compare list with list, and say what differs."
    dls = lambda *titles: SimpleNamespace(classes=dict(user=['#na#', 1, 2], title=['#na#', *titles]))
    torch.manual_seed(0)
    model, x = DotProductBias(3, 3, 4, y_range=(0, 7)), torch.tensor([[1, 2], [2, 1]])
    def error(path, *titles):
        try: load_named(dls(*titles), path)
        except ValueError as e: return str(e)
    with tempfile.TemporaryDirectory() as d:
        path = f'{d}/model.pth'
        save_named(model, dls('A', 'B'), path)
        twin = load_named(dls('A', 'B'), path)
        yield near(twin(x), model(x).detach()), 'the loaded model predicts the same', 'the loaded model predicts something else: is its range saved, too?'
        other = error(path, 'A', 'C')
        yield other and 'B' in other, 'an unknown name is an error that says which', 'names are not compared: a model for other films loads without a word'
        yield not other or error(path, 'B', 'A'), 'so is another order', 'the same names in another order load: row 1 is another film then, so compare lists, not sets'

def _wrong_named(compare, keep=True):
    plain = lambda dls: {k: list(v) for k,v in dls.classes.items()}
    def save_named(model, dls, path): torch.save(dict(weights=model.state_dict(), names=plain(dls), y_range=model.y_range), path)
    def load_named(dls, path):
        saved = torch.load(path, weights_only=True)
        for k,v in saved['names'].items():
            if not compare(v, plain(dls)[k]): raise ValueError(f'{path}: other {k}s: {v}')
        model = DotProductBias(len(saved['names']['user']), *saved['weights']['movie_factors.weight'].shape, **dict(y_range=saved['y_range'])if keep else {})
        model.load_state_dict(saved['weights'])
        return model
    return dict(save_named=save_named, load_named=load_named)

wrong_named = {
    'are not compared': _wrong_named(lambda a, b: True),
    'lists, not sets': _wrong_named(lambda a, b: set(a)==set(b)),
    'is its range saved': _wrong_named(lambda a, b: a==b, keep=False),
}

def check_one_epoch(one_epoch):
    "`values[-1]` of a recorder has the training loss, then the validation loss."
    df, n = synthetic_ratings(20, 30, 200), 200
    df['rating'] = np.where(np.arange(n) < 40, 5, 1)
    dls = tensor_dls(lesson_dls(df, bs=32, splits=(np.arange(40, n), np.arange(40)), device='cpu'))
    a, b, free = one_epoch(dls, (0, 5.5), 1), one_epoch(dls, (0, 5.5), 1), one_epoch(dls, None, 1)
    yield a == b, 'the same seed gives the same loss', 'two runs with one seed differ: set it before the learner is made'
    yield a != free or a != b, 'the range makes a difference', 'with a range and without, the loss is the same: hand y_range on'
    yield a > 4, 'the loss of the validation part', 'this is the training loss, the first of the two numbers'

def _wrong_learner(early=True, given=True, which=1):
    def one_epoch(dls, y_range, seed):
        from fastai.collab import collab_learner
        from fastai.torch_core import set_seed
        if early: set_seed(seed)
        learn = collab_learner(dls, n_factors=50, y_range=y_range if given else (0, 5.5))
        set_seed(seed)
        with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(1, 1e-2, wd=.1)
        return learn.recorder.values[-1][which]
    return one_epoch

wrong_one_epoch = {
    'before the learner is made': _wrong_learner(early=False),
    'hand y_range on': _wrong_learner(given=False),
    'this is the training loss': _wrong_learner(which=0),
}
