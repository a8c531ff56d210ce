// The match of a user and a movie: multiply factor by factor, add up, and squeeze into the rating range.
collabLesson.define('dot_product', ({ data, body, state, say }) => {
  const { h, set, slider, button, chart, scale, ticks, line, text, dot, path, fmt } = collabLesson
  const { factors, user_name, movies, limit, y_range } = data, titles = Object.keys(movies), k = factors.length
  const user = [...data.user], movie = [...movies[titles[0]]]
  let title = titles[0]
  const sum = () => user.reduce((s, u, i) => s + u * movie[i], 0)
  const rate = y_range ? x => y_range[0] + (y_range[1] - y_range[0]) / (1 + Math.exp(-x)) : x => x

  const knob = (who, v, i) => slider({ label: `${who}: ${factors[i]}`, min: -limit, max: limit, step: .01, value: v[i], hide: true, input: x => { v[i] = x; draw() } })
  const users = user.map((_, i) => knob(user_name, user, i)), items = movie.map((_, i) => knob('Movie', movie, i))
  const products = factors.map(() => h('td.cl-heat.cl-product'))
  const head = h('th.cl-mid', { scope: 'col' })
  const table = h('table.cl-dot', {},
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'factor'), h('th.cl-mid', { scope: 'col' }, user_name), head, h('th.cl-mid', { scope: 'col' }, 'product'))),
    h('tbody', {}, factors.map((f, i) => h('tr', {}, h('th', { scope: 'row', title: f }, f), h('td', {}, users[i].el), h('td', {}, items[i].el), products[i]))))
  const picks = titles.map(t => button(t, () => { title = t; movies[t].forEach((v, i) => { movie[i] = v; items[i].put(v) }); draw() }))

  const reach = Math.max(1, k * limit * limit)
  const sums = chart({ height: (y_range ? 114 : 46) + 18 * k, label: 'The products, end to end, and their sum', draw: (w, height) => {
    const x = scale(-reach, reach, 14, w - 14), total = sum(), base = 24 + 18 * k
    let svg = '', from = 0
    svg += text(total < 0 ? w : 0, 12, 'products, end to end', total < 0 ? 'name end' : 'name')
    for (const t of ticks(-reach, reach, w < 420 ? 4 : 6)) svg += line(x(t), 22, x(t), base, t ? 'grid' : 'axis') + text(x(t), base + 16, fmt(t, Number.isInteger(t) ? 0 : 1), 'tick mid')
    user.forEach((u, i) => {
      const p = u * movie[i], a = x(from), b = x(from + p)
      svg += `<rect x="${Math.min(a, b)}" y="${25 + i * 18}" width="${Math.max(1.5, Math.abs(b - a))}" height="15" rx="3" class="${p < 0 ? 'fneg' : 'fpos'}"/>`
      svg += p < 0 || Math.min(a, b) < 110 ? text(Math.max(a, b) + 6, 37 + i * 18, factors[i], 'name halo') : text(Math.min(a, b) - 6, 37 + i * 18, factors[i], 'name end halo')
      from += p
    })
    svg += line(x(total), 20, x(total), base, 'thick') + text(Math.min(w - 34, Math.max(34, x(total))), 14, `sum ${fmt(total)}`, 'b mid halo')
    if (y_range) {
      const [lo, hi] = y_range, r = scale(lo, hi, 14, w - 14), v = rate(total), y = base + 60
      const whole = Array.from({ length: Math.floor(hi) - Math.ceil(lo) + 1 }, (_, i) => Math.ceil(lo) + i)
      svg += `<path d="M${x(total)} ${base}C${x(total)} ${base + 40} ${r(v)} ${base + 24} ${r(v)} ${y - 24}" class="axis dash"/>`
      svg += line(r(lo), y, r(hi), y, 'axis') + text(r(v) < w / 2 ? w : 0, y - 18, 'rating, after the sigmoid', r(v) < w / 2 ? 'name end' : 'name')
      for (const t of whole) svg += line(r(t), y - 5, r(t), y + 5, 'axis') + text(r(t), y + 23, t, 'tick mid')
      svg += dot(r(v), y, 8, 'fpos ring') + text(Math.min(w - 14, Math.max(14, r(v))), y - 14, fmt(v), 'b mid halo')
    }
    return svg
  } })
  const says = h('p.cl-note', {})
  body.append(h('div.cl-tools', { role: 'group', 'aria-label': 'Movie' }, picks), table, sums.el, says)

  function draw() {
    const total = sum(), rating = rate(total), own = movies[title].every((v, i) => v === movie[i])
    head.textContent = own ? title : 'a movie of yours'
    picks.forEach((b, i) => set(b, { 'aria-pressed': String(own && titles[i] === title) }))
    products.forEach((td, i) => {
      const p = user[i] * movie[i]
      td.textContent = fmt(p)
      td.style.setProperty('--heat', Math.abs(p) / limit ** 2)
      td.style.setProperty('--tint', p < 0 ? 'var(--neg)' : 'var(--pos)')
    })
    const most = user.map((u, i) => u * movie[i]).reduce((a, p, i, all) => Math.abs(p) > Math.abs(all[a]) ? i : a, 0)
    const match = Math.abs(total) < .05 * reach ? 'No match either way' : total > 0 ? 'A match' : 'A mismatch'
    const words = `${match}: the products add up to ${fmt(total)}` + (y_range ? `, a predicted rating of ${fmt(rating)}. ` : ', the predicted rating. ') + `Most of it comes from “${factors[most]}”.`
    says.textContent = words
    say(words)
    sums.redraw()
    state({ user, movie, products: user.map((u, i) => u * movie[i]), sum: total, rating })
  }
  draw()
})
