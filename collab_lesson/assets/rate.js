// Rate ten movies: the user's factors are the solution of a small ridge system, found here, in the page.
collabLesson.define('rate', ({ data, body, state, say }) => {
  const { h, set, button, search, fmt, clamp } = collabLesson
  const { titles, n_factors: k, bias, offset, reg, y_range, levels, prior, show } = data, n = titles.length
  const half = u => {
    const e = u >> 10 & 31, m = u & 1023
    return (u >> 15 ? -1 : 1) * (e ? 2 ** (e - 15) * (1 + m / 1024) : 2 ** -24 * m)
  }
  const bytes = Uint8Array.from(atob(data.factors), c => c.charCodeAt(0))
  const Q = Array.from({ length: n }, (_, i) => [...Array.from({ length: k }, (_, f) => half(bytes[2 * (i * k + f)] | bytes[2 * (i * k + f) + 1] << 8)), 1])  // the last 1 carries the user's bias
  const [lo, hi] = y_range || [0, 1]
  const raw = r => y_range ? Math.log((r - lo) / (hi - r)) : r, cooked = z => y_range ? lo + (hi - lo) / (1 + Math.exp(-z)) : z
  const dotted = (a, b) => a.reduce((s, v, i) => s + v * b[i], 0)

  // Solve A x = b for a positive definite A: A = L Lᵀ, then forward and back substitution.
  function cholesky(A, b) {
    const m = b.length, L = A.map(r => [...r]), x = [...b]
    for (let i = 0; i < m; i++) for (let j = 0; j <= i; j++) {
      let s = L[i][j]
      for (let f = 0; f < j; f++) s -= L[i][f] * L[j][f]
      L[i][j] = i === j ? Math.sqrt(s) : s / L[j][j]
    }
    for (let i = 0; i < m; i++) { for (let f = 0; f < i; f++) x[i] -= L[i][f] * x[f]; x[i] /= L[i][i] }
    for (let i = m - 1; i >= 0; i--) { for (let f = i + 1; f < m; f++) x[i] -= L[f][i] * x[f]; x[i] /= L[i][i] }
    return x
  }
  const ratings = new Map()
  function solve() {
    const A = prior.map((_, i) => prior.map((_, j) => i === j ? reg : 0)), b = prior.map(() => 0)
    for (const [i, r] of ratings) {
      const q = Q[i], miss = raw(r) - offset - bias[i] - dotted(q, prior)
      q.forEach((v, f) => { b[f] += v * miss; q.forEach((w, g) => { A[f][g] += v * w }) })
    }
    return cholesky(A, b).map((v, f) => v + prior[f])
  }

  let shown = titles.map((_, i) => i).slice(0, show), next = show
  const group = `cl-rate-${Math.random().toString(36).slice(2)}`
  const list = h('ul.cl-list', { role: 'list', 'aria-label': 'Movies to rate' })
  const row = i => {
    const stars = h('span.cl-stars', { role: 'radiogroup', 'aria-label': titles[i] }, levels.map(r => h('label.cl-star', {},
      h('input', { type: 'radio', name: `${group}-${i}`, value: r, onchange: () => { ratings.set(i, r); paint(); draw() } }), h('span', { 'aria-hidden': 'true' }, '★'), h('span.cl-hide', {}, `${r}`))))
    const clear = button('×', () => { ratings.delete(i); stars.querySelectorAll('input').forEach(o => { o.checked = false }); stars.querySelector('input').focus(); paint(); draw() }, { class: 'cl-clear', 'aria-label': `Clear the rating of ${titles[i]}` })
    const paint = () => {
      const r = ratings.get(i)
      stars.querySelectorAll('label').forEach((l, j) => { l.classList.toggle('cl-on', levels[j] <= r); l.firstChild.checked = levels[j] === r })
      clear.style.visibility = r == null ? 'hidden' : ''
    }
    paint()
    return h('li', {}, h('span.cl-title', { title: titles[i] }, titles[i]), stars, clear)
  }
  const fill = () => list.replaceChildren(...shown.map(row))
  const others = button('Other movies', () => {  // keep what is rated, and change the rest
    shown = shown.map(i => {
      if (ratings.has(i)) return i
      do { next = (next + 1) % n } while (shown.includes(next) || ratings.has(next))
      return next
    })
    fill()
  })
  const reset = button('Clear all', () => { ratings.clear(); fill(); draw() })
  const find = search({ label: 'Rate another movie', titles, pick: i => {
    const free = shown.includes(i) ? shown.indexOf(i) : shown.findLastIndex(j => !ratings.has(j))
    if (free >= 0) shown.splice(free, 1); else shown.pop()
    shown.unshift(i)
    fill()
    list.querySelector('input').focus()
  } })
  const best = h('ol.cl-list', { role: 'list', 'aria-label': 'Recommendations' }), says = h('p.cl-note')
  body.append(find.el, h('div.cl-cols.cl-rate', {},
    h('div', {}, h('p.cl-head', {}, 'Rate some movies'), list, h('div.cl-tools', {}, others, reset)),
    h('div', {}, h('p.cl-head', {}, 'For you ', h('span.cl-mute', {}, '(predicted rating)')), best)), says)

  function draw() {
    const start = performance.now(), user = solve(), took = performance.now() - start
    const predictions = Q.map((q, i) => cooked(offset + bias[i] + dotted(q, user)))
    const top = predictions.map((_, i) => i).filter(i => !ratings.has(i)).sort((a, b) => predictions[b] - predictions[a]).slice(0, show)
    const least = levels[0], most = levels[levels.length - 1]
    best.replaceChildren(...top.map(i => h('li', {}, h('span.cl-title', { title: titles[i] }, titles[i]),
      h('span.cl-bar', { 'aria-hidden': 'true' }, h('i.cl-move', { style: `width:${clamp((predictions[i] - least) / (most - least), 0, 1) * 100}%` })), h('span.cl-num', {}, fmt(predictions[i], 1)))))
    const c = ratings.size
    const words = c ? `From ${c} ${c === 1 ? 'rating' : 'ratings'}: ${k + 1} equations solved in ${fmt(Math.max(.1, took), 1)} ms, in this page. Your ratings stay here.`
      : 'No rating yet, so everybody gets this list. Give a star and it becomes yours. Ratings stay in this page.'
    says.textContent = words
    say(`${c} ${c === 1 ? 'rating' : 'ratings'}. First three recommendations: ${top.slice(0, 3).map(i => titles[i]).join(', ')}.`)
    state({ ratings: [...ratings], user: user.slice(0, k), user_bias: user[k], top: top.map(i => titles[i]), predictions })
  }
  fill()
  draw()
})
