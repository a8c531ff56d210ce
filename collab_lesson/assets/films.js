// What the demonstrations with films share: 16-bit floats, a small solver, the reader's ratings, and stars to give them with.
;(() => {
  const L = collabLesson
  if (L.films) return
  const { h, button, search } = L
  function halves(s) {  // base64 of 16-bit floats
    const b = Uint8Array.from(atob(s), c => c.charCodeAt(0))
    return Array.from({ length: b.length / 2 }, (_, i) => {
      const u = b[2 * i] | b[2 * i + 1] << 8, e = u >> 10 & 31, m = u & 1023
      return (u >> 15 ? -1 : 1) * (e ? 2 ** (e - 15) * (1 + m / 1024) : 2 ** -24 * m)
    })
  }
  const matrix = (s, k) => { const a = halves(s); return Array.from({ length: a.length / k }, (_, i) => a.slice(i * k, i * k + k)) }
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
  // A newcomer's factors, and the bias behind them: ridge regression of what is left of the ratings, around the prior
  function foldIn(pairs, reg, prior) {  // pairs: [a film's factors and a 1, score without the film's bias]
    const A = prior.map((_, i) => prior.map((_, j) => i === j ? reg : 0)), b = prior.map(() => 0)
    for (const [q, z] of pairs) {
      const miss = z - dotted(q, prior)
      q.forEach((v, f) => { b[f] += v * miss; q.forEach((w, g) => { A[f][g] += v * w }) })
    }
    return cholesky(A, b).map((v, f) => v + prior[f])
  }
  // What the rated films say for each film: stars as weights, times EASE's matrix. Two stars weigh nothing, one speaks against.
  const weigh = (r, levels) => (r - levels[1]) / (levels[levels.length - 1] - levels[1] || 1)
  const speak = (B, ratings, levels) => B.map((_, j) => { let s = 0; for (const [i, r] of ratings) s += weigh(r, levels) * B[i][j]; return s })
  function because(B, ratings, levels, j) {
    const parts = [...ratings].map(([i, r]) => [weigh(r, levels) * B[i][j], i]).sort((a, b) => b[0] - a[0])
    return parts.filter(([p]) => p > 0).slice(0, 2).map(([, i]) => i)
  }
  const plain = t => t.replace(/ \(\d{4}\)$/, '')
  const reason = (B, ratings, levels, j, titles) => {
    const why = because(B, ratings, levels, j)
    return why.length ? `because you rated ${why.map(i => plain(titles[i])).join(' and ')}` : 'unlike what you rated low'
  }
  // Bars: from the film that comes three lists further down, so that a difference can be seen
  const ahead = (scores, order, show) => { const lo = scores[order[Math.min(3 * show, order.length - 1)]], hi = scores[order[0]]; return i => hi > lo ? L.clamp((scores[i] - lo) / (hi - lo), 0, 1) : 0 }

  // The reader's ratings, {title: stars}. They stay in this browser; where it forbids the memory, they stay in the page.
  const KEY = 'collab-lesson row 944', heard = new Set()
  let kept = {}
  const read = () => {
    try {
      const o = JSON.parse(localStorage.getItem(KEY))
      return o && typeof o === 'object' && !Array.isArray(o) ? o : {}
    } catch { return kept }
  }
  const write = (o, me) => {
    kept = o
    try { Object.keys(o).length ? localStorage.setItem(KEY, JSON.stringify(o)) : localStorage.removeItem(KEY) } catch {}
    heard.forEach(f => { if (f !== me) f() })
  }
  addEventListener('storage', e => { if (e.key === KEY || e.key === null) heard.forEach(f => f()) })

  // A list of films with stars, a search box, and the ratings given: a Map of index to stars
  function rater({ titles, levels, body, slots, remember, change, label = 'Rate another movie' }) {
    const ratings = new Map(), at = new Map(titles.map((t, i) => [t, i])), n = titles.length
    const group = `cl-rate-${Math.random().toString(36).slice(2)}`
    const list = h('ul.cl-list', { role: 'list', 'aria-label': 'Movies to rate' })
    const room = () => body.clientWidth && body.clientWidth <= 520 ? Math.min(4, slots) : slots
    let shown = [], next, size
    const load = () => {
      ratings.clear()
      if (remember) for (const [t, r] of Object.entries(read())) if (at.has(t) && levels.includes(r)) ratings.set(at.get(t), r)
    }
    const save = () => {
      if (remember) {
        const o = { ...read() }
        titles.forEach(t => { delete o[t] })
        for (const [i, r] of ratings) o[titles[i]] = r
        write(o, again)
      }
      change()
    }
    const row = i => {
      const stars = h('span.cl-stars', { role: 'radiogroup', 'aria-label': titles[i] }, levels.map(r => h('label.cl-star', {},
        h('input', { type: 'radio', name: `${group}-${i}`, value: r, onchange: () => { ratings.set(i, r); paint(); save() } }), h('span', { 'aria-hidden': 'true' }, '★'), h('span.cl-hide', {}, `${r}`))))
      const clear = button('×', () => { ratings.delete(i); stars.querySelectorAll('input').forEach(o => { o.checked = false }); stars.querySelector('input').focus(); paint(); save() }, { class: 'cl-clear', 'aria-label': `Clear the rating of ${titles[i]}` })
      const paint = () => {
        const r = ratings.get(i)
        stars.querySelectorAll('label').forEach((l, j) => { l.classList.toggle('cl-on', levels[j] <= r); l.firstChild.checked = levels[j] === r })
        clear.style.visibility = r == null ? 'hidden' : ''
      }
      paint()
      return h('li', {}, h('span.cl-title', { title: titles[i] }, titles[i]), stars, clear)
    }
    const fill = () => list.replaceChildren(...shown.map(row))
    const begin = () => {  // what was rated last, then the best known
      size = room()
      const rated = [...ratings.keys()].slice(-Math.floor(size / 2))
      shown = rated.concat(titles.map((_, i) => i).filter(i => !ratings.has(i)).slice(0, size - rated.length)).sort((a, b) => a - b)
      next = Math.max(...shown.filter(i => !ratings.has(i)), -1)
      fill()
    }
    const others = button('Other movies', () => {  // keep what was rated last, and change the rest
      const rated = shown.filter(i => ratings.has(i)), stay = new Set(rated.slice(-Math.floor(size / 2)))
      shown = shown.map(i => {
        if (stay.has(i)) return i
        for (let tries = 0; tries < n; tries++) { next = (next + 1) % n; if (!shown.includes(next) && !ratings.has(next)) return next }
        return i
      })
      fill()
    })
    const reset = button('Clear all', () => { ratings.clear(); fill(); save() })
    const find = search({ label, titles, pick: i => {
      const free = shown.includes(i) ? shown.indexOf(i) : shown.findLastIndex(j => !ratings.has(j))
      if (free >= 0) shown.splice(free, 1); else shown.pop()
      shown.unshift(i)
      fill()
      list.querySelector('input').focus()
    } })
    const again = () => { load(); fill(); change() }  // another demonstration, or another tab, has changed them
    heard.add(again)
    load(); begin()
    new ResizeObserver(() => { if (room() !== size) begin() }).observe(body)
    return { ratings, find: find.el, list, tools: h('div.cl-tools', {}, others, reset) }
  }
  L.films = { halves, matrix, dotted, foldIn, weigh, speak, because, reason, ahead, plain, rater }
})()
