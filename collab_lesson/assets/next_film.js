// The next film: SASRec with one block and one head, computed in the page from tensors that come with it.
collabLesson.define('next_film', ({ data, body, state, say }) => {
  const { h, fmt, search, button } = collabLesson, { halves } = collabLesson.films
  const { titles, d, n_last, show } = data, W = {}
  for (const [k, v] of Object.entries(data.tensors)) W[k] = halves(v)
  let history = [...data.history]

  // y = x Aᵀ + b for one place
  const linear = (x, A, b) => Float64Array.from(b, (v, o) => { let s = v; for (let i = 0; i < x.length; i++) s += x[i] * A[o * x.length + i]; return s })
  function norm(x, g, b) {
    let m = 0, s = 0
    for (const v of x) m += v / d
    for (const v of x) s += (v - m) ** 2 / d
    return x.map((v, i) => (v - m) / Math.sqrt(s + 1e-5) * g[i] + b[i])
  }
  function erf(x) {  // Abramowitz & Stegun 7.1.26, to 1.5e-7
    const t = 1 / (1 + .3275911 * Math.abs(x))
    const y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - .284496736) * t + .254829592) * t * Math.exp(-x * x)
    return x < 0 ? -y : y
  }
  const gelu = x => x.map(v => v / 2 * (1 + erf(v / Math.SQRT2)))
  const softmax = a => { const m = Math.max(...a), e = a.map(v => Math.exp(v - m)), s = e.reduce((p, q) => p + q, 0); return e.map(v => v / s) }
  const add = (a, b) => a.map((v, i) => v + b[i])

  function scores(films) {
    const x = films.slice(-n_last).map((f, p) => Float64Array.from({ length: d }, (_, i) => W.items[f * d + i] * data.scale + W.places[p * d + i]))
    const qkv = x.map(o => linear(norm(o, W.norm1_weight, W.norm1_bias), W.qkv_weight, W.qkv_bias))
    const last = x.length - 1, q = qkv[last].slice(0, d)
    const look = softmax(qkv.map(o => { let s = 0; for (let i = 0; i < d; i++) s += q[i] * o[d + i]; return s / Math.sqrt(d) }))
    const mixed = Float64Array.from({ length: d }, (_, i) => look.reduce((s, w, p) => s + w * qkv[p][2 * d + i], 0))
    let y = add(x[last], linear(mixed, W.out_weight, W.out_bias))
    y = add(y, linear(gelu(linear(norm(y, W.norm2_weight, W.norm2_bias), W.inner_weight, W.inner_bias)), W.outer_weight, W.outer_bias))
    y = norm(y, W.norm_weight, W.norm_bias)
    const z = titles.map((_, f) => { let s = W.bias[f + 1]; for (let i = 0; i < d; i++) s += y[i] * W.items[(f + 1) * d + i]; return s })
    return { z, look }
  }

  const seen = h('ol.cl-list', { 'aria-label': 'Films seen, oldest first' }), best = h('ol.cl-list', { 'aria-label': 'The next film' }), says = h('p.cl-note')
  const put = films => { history = films; draw() }
  const find = search({ label: 'Add the film seen last', titles, pick: i => put([...history.filter(o => o !== i), i].slice(-n_last)) })
  const turn = button('Reverse the order', () => put([...history].reverse()))
  const again = button('Start again', () => put([...data.history]))
  body.append(find.el, h('div.cl-cols', {},
    h('div', {}, h('p.cl-head', {}, 'Seen, oldest first'), seen, h('div.cl-tools', {}, turn, again)),
    h('div', {}, h('p.cl-head', {}, 'Next ', h('span.cl-mute', {}, '(choose one to have seen it)')), best)), says)

  function draw() {
    const start = performance.now(), { z, look } = scores(history.length ? history.map(i => i + 1) : [0]), took = performance.now() - start
    const left = titles.map((_, i) => i).filter(i => !history.includes(i)), p = softmax(left.map(i => z[i]))
    const order = left.map((f, j) => [p[j], f]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).slice(0, show)
    seen.replaceChildren(...history.map((f, p) => h('li', {}, h('span.cl-title', { title: titles[f] }, titles[f]),
      h('span.cl-mute', {}, `${fmt(100 * look[p], 0)} %`),
      button('×', () => { put(history.filter(o => o !== f)); find.input.focus() }, { class: 'cl-clear', 'aria-label': `Remove ${titles[f]}` }))))
    best.replaceChildren(...order.map(([v, f]) => h('li', {},
      h('button.cl-film', { type: 'button', onclick: () => { put([...history, f].slice(-n_last)); best.querySelector('button').focus() }, 'aria-label': `${titles[f]}, ${fmt(100 * v, 1)} percent. Add to the films seen` },
        h('span.cl-title', { title: titles[f] }, titles[f]), h('span.cl-bar', { 'aria-hidden': 'true' }, h('i.cl-move', { style: `width:${100 * v / order[0][0]}%` })), h('span.cl-num', {}, `${fmt(100 * v, 1)} %`)))))
    says.textContent = history.length ? `From ${history.length} ${history.length === 1 ? 'film' : 'films'}, computed in ${fmt(Math.max(.1, took), 1)} ms in this page. On the left: how much the last place looks at each film.`
      : 'Nothing seen yet: everybody gets this list.'
    say(`Next: ${order.slice(0, 3).map(([, f]) => titles[f]).join(', ')}.`)
    state({ history, scores: z, look, top: order.map(([, f]) => titles[f]) })
  }
  draw()
})
