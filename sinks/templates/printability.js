"use strict";
// The 3D view of a part that was checked, in plain WebGL. It reads the JSON of #part, whose keys
// nozzlewatch/printability/view.py explains, and fetches nothing. Without WebGL the page keeps its pictures.
(() => {
  const $ = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const add = (a, b, by = 1) => [a[0] + b[0] * by, a[1] + b[1] * by, a[2] + b[2] * by];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const unit = (a) => { const l = Math.sqrt(dot(a, a)) || 1; return [a[0] / l, a[1] / l, a[2] / l]; };
  const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

  const part = JSON.parse($("part").textContent), canvas = $("canvas"), pins = $("pins"), turns = $("turns");
  const gl = canvas.getContext("webgl", { antialias: true, alpha: true });
  if (!gl) return;
  const grid = new Uint16Array(bytes(part.vertices).buffer), faces = new Uint32Array(bytes(part.faces).buffer);
  const findings = part.findings.map((one) => ({ ...one, faces: new Uint32Array(bytes(one.faces).buffer) }));
  const corner = (at) => [0, 1, 2].map((i) => part.origin[i] + part.step * grid[3 * at + i]);  // mm, as in the file

  // One vertex for each corner of a face, so that a face has its own normal: 3 uint16, 2 bytes free, 3 int8, 1 free.
  const shape = new DataView(new ArrayBuffer(faces.length * 12));
  for (let first = 0; first < faces.length; first += 3) {
    const [a, b, c] = [0, 1, 2].map((i) => corner(faces[first + i]));
    const normal = unit(cross(add(b, a, -1), add(c, a, -1)));
    for (let at = first; at < first + 3; at++) for (let i = 0; i < 3; i++) {
      shape.setUint16(12 * at + 2 * i, grid[3 * faces[at] + i], true);
      shape.setInt8(12 * at + 8 + i, Math.round(127 * normal[i]));
    }
  }

  // Programs and buffers.
  const program = (vertex, fragment) => {
    const made = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
    return made;
  };
  const solid = program(
    `attribute vec3 place, normal; attribute float mark;
     uniform mat4 camera; uniform mat3 turn; uniform vec3 shift, origin; uniform float grid; uniform vec3 colors[32];
     varying vec3 world, facing, color;
     void main() {
       world = turn * (origin + place * grid) + shift; facing = turn * normal; color = colors[int(mark + .5)];
       gl_Position = camera * vec4(world, 1.);
     }`,
    `precision highp float; varying vec3 world, facing, color; uniform vec3 eye;
     void main() {
       vec3 n = normalize(facing), see = normalize(eye - world);
       float front = dot(n, see);
       if (front < 0.) n = -n;
       float light = .47 + .16 * n.z + .28 * max(dot(n, normalize(see + vec3(.35, -.2, .75))), 0.) + .3 * abs(front);
       gl_FragColor = vec4(color * light * (front < 0. ? .6 : 1.), 1.);  // the inside is darker
     }`);
  const flat = program(
    `attribute vec3 place; uniform mat4 camera; uniform mat3 turn; uniform vec3 shift;
     void main() { gl_Position = camera * vec4(turn * place + shift, 1.); }`,
    `precision mediump float; uniform vec4 color; void main() { gl_FragColor = vec4(color.rgb * color.a, color.a); }`);
  const buffer = (data, made = gl.createBuffer()) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, made);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    return { made, length: data.length };
  };
  const attribute = (of, name, from, size, type, normed, stride, offset) => {
    const at = gl.getAttribLocation(of, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, from.made);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, type, normed, stride, offset);
  };
  const shapes = buffer(shape), marks = buffer(new Uint8Array(1)), edges = buffer(new Float32Array([...new Uint32Array(bytes(part.edges).buffer)].flatMap(corner)));
  const plate = buffer(new Float32Array(18)), plateLines = buffer(new Float32Array(0));

  // How the part stands: turned, its middle over the plate's, its lowest point on it.
  const apply = (by, p) => [0, 3, 6].map((row) => by[row] * p[0] + by[row + 1] * p[1] + by[row + 2] * p[2]);
  let turn, shift, radius, middle;
  const stand = (rotation) => {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (let at = 0; at < grid.length / 3; at++) {
      const p = apply(rotation, corner(at));
      for (let i = 0; i < 3; i++) { low[i] = Math.min(low[i], p[i]); high[i] = Math.max(high[i], p[i]); }
    }
    turn = rotation;
    shift = [-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]];
    middle = [0, 0, (high[2] - low[2]) / 2];
    radius = Math.max(Math.hypot(...add(high, low, -1)) / 2, 1e-3);
    const every = [0.1, 1, 10, 100, 1000].find((step) => radius < 25 * step) || 1e4, lines = [];  // mm
    const [x, y] = [0, 1].map((i) => Math.ceil(((high[i] - low[i]) / 2 + radius * 0.25) / every));
    for (let at = -x; at <= x; at++) lines.push(at, -y, 0, at, y, 0);
    for (let at = -y; at <= y; at++) lines.push(-x, at, 0, x, at, 0);
    buffer(new Float32Array([-x, -y, 0, x, -y, 0, x, y, 0, -x, -y, 0, x, y, 0, -x, y, 0].map((v) => v * every)), plate.made);
    plateLines.length = buffer(new Float32Array(lines.map((v) => v * every)), plateLines.made).length;
    $("grid").textContent = `Grid: ${every} mm`;
  };
  const placed = (mm) => add(apply(turn, mm), shift);

  // Colours: a corner's mark is 0 for the bare part, else 1 + 2 * problem, and one more for the finding that is chosen.
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255), plain = rgb(part.color);
  const shown = part.problems.map(() => true), marked = new Uint8Array(faces.length);
  let chosen = -1;
  const palette = () => new Float32Array(part.problems.map(rgb).reduce((all, color) => {
    const pale = chosen < 0 ? 0 : 0.6;
    return [...all, ...color.map((c, i) => c * (1 - pale) + plain[i] * pale), ...color];
  }, plain));
  const paint = () => {
    const order = findings.map((_, number) => number).sort((a, b) => findings[b].problem - findings[a].problem);
    marked.fill(0);
    for (const number of chosen < 0 ? order : [...order, chosen]) {
      const { faces: own, problem } = findings[number], mark = 1 + 2 * problem + (number === chosen ? 1 : 0);
      if (shown[problem]) own.forEach((face) => marked.fill(mark, 3 * face, 3 * face + 3));
    }
    buffer(marked, marks.made);
  };

  // The camera: around a target, by two angles and a distance.
  let camera, flight = 0, waiting = 0;
  const whole = () => ({ target: middle, side: -Math.PI / 3, up: 0.5, far: radius * 3.5 });
  const back = () => [Math.cos(camera.up) * Math.cos(camera.side), Math.cos(camera.up) * Math.sin(camera.side), Math.sin(camera.up)];
  const eye = () => add(camera.target, back(), camera.far);
  const axes = () => { const away = back(), right = unit(cross([0, 0, 1], away)); return [right, cross(away, right), away]; };
  const matrix = () => {  // rows of perspective times view
    const shape = canvas.width / canvas.height, focal = Math.min(1, shape) / Math.tan(0.3);
    const near = camera.far / 50, far = camera.far + 8 * radius, flatten = (far + near) / (near - far);
    const [right, over, away] = axes().map((axis) => [...axis, -dot(axis, eye())]);
    const depth = away.map((v) => v * flatten);
    depth[3] += 2 * far * near / (near - far);
    return [right.map((v) => v * focal / shape), over.map((v) => v * focal), depth, away.map((v) => -v)];
  };
  const later = () => { waiting = waiting || requestAnimationFrame(() => { waiting = 0; draw(); }); };
  const fly = (goal) => {
    const from = camera, began = performance.now(), own = ++flight, circle = 2 * Math.PI;
    const round = ((goal.side - from.side + Math.PI) % circle + circle) % circle - Math.PI;
    const lasts = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1 : 450;  // ms
    const step = (now) => {
      if (own !== flight) return;
      const t = clamp((now - began) / lasts, 0, 1), s = t * t * (3 - 2 * t), mix = (a, b) => a + (b - a) * s;
      camera = { target: from.target.map((v, i) => mix(v, goal.target[i])), side: from.side + round * s,
        up: mix(from.up, goal.up), far: mix(from.far, goal.far) };
      draw();
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  const choose = (number) => {  // -1: none, the whole part
    chosen = number;
    paint();
    document.querySelectorAll("[data-finding]").forEach((row) => row.classList.toggle("chosen", Number(row.dataset.finding) === number));
    $("says").textContent = number < 0 ? "" : findings[number].text;
    if (number < 0) return fly(whole());
    const one = findings[number], from = apply(turn, one.look), up = Math.asin(clamp(from[2], -0.84, 0.84));
    fly({ target: placed(one.where), side: Math.atan2(from[1], from[0]) + 0.35, up: Math.abs(up) < 0.2 ? up + 0.25 : up,
      far: clamp(one.reach * 6, radius * 0.5, radius * 3.5) });
  };

  // Drawing.
  const uniforms = (of, view, own, offset) => {
    gl.useProgram(of);
    const place = (name) => gl.getUniformLocation(of, name);
    gl.uniformMatrix4fv(place("camera"), false, [0, 1, 2, 3].flatMap((column) => view.map((row) => row[column])));
    gl.uniformMatrix3fv(place("turn"), false, [0, 3, 6, 1, 4, 7, 2, 5, 8].map((at) => own[at]));
    gl.uniform3fv(place("shift"), offset);
    return place;
  };
  const lines = (view, what, mode, color, own, offset) => {
    gl.uniform4fv(uniforms(flat, view, own, offset)("color"), color);
    attribute(flat, "place", what, 3, gl.FLOAT, false, 0, 0);
    gl.drawArrays(mode, 0, what.length / 3);
  };
  const draw = () => {
    const view = matrix(), still = [1, 0, 0, 0, 1, 0, 0, 0, 1], below = [0, 0, -radius / 400];
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    [gl.DEPTH_TEST, gl.BLEND, gl.POLYGON_OFFSET_FILL].forEach((what) => gl.enable(what));
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.polygonOffset(1, 1);  // so that the edges lie before their faces
    const place = uniforms(solid, view, turn, shift);
    gl.uniform3fv(place("origin"), part.origin);
    gl.uniform1f(place("grid"), part.step);
    gl.uniform3fv(place("colors"), palette());
    gl.uniform3fv(place("eye"), eye());
    attribute(solid, "place", shapes, 3, gl.UNSIGNED_SHORT, false, 12, 0);
    attribute(solid, "normal", shapes, 3, gl.BYTE, true, 12, 8);
    attribute(solid, "mark", marks, 1, gl.UNSIGNED_BYTE, false, 0, 0);
    gl.drawArrays(gl.TRIANGLES, 0, faces.length);
    lines(view, edges, gl.LINES, [0.05, 0.07, 0.1, 0.5], turn, shift);
    gl.depthMask(false);  // the plate is glass
    lines(view, plate, gl.TRIANGLES, [0.45, 0.52, 0.62, 0.1], still, below);
    lines(view, plateLines, gl.LINES, [0.45, 0.52, 0.62, 0.5], still, below);
    gl.depthMask(true);
    for (const pin of pins.children) {
      const one = findings[pin.dataset.finding], at = [...placed(one.where), 1];
      const [x, y, , w] = view.map((row) => row.reduce((sum, v, i) => sum + v * at[i], 0));
      pin.hidden = !shown[one.problem] || w <= 0;
      pin.style.opacity = pin.classList.contains("chosen") || dot(apply(turn, one.look), back()) > -0.2 ? 1 : 0.35;  // behind
      pin.style.left = `${50 + 50 * x / w}%`;
      pin.style.top = `${50 - 50 * y / w}%`;
    }
  };

  // What the user does.
  const orbit = (dx, dy) => { camera = { ...camera, side: camera.side - dx, up: clamp(camera.up + dy, -1.5, 1.5) }; };
  const zoom = (by) => { camera = { ...camera, far: clamp(camera.far * by, radius * 0.1, radius * 12) }; };
  const pan = (dx, dy) => {  // pixels
    const [right, over] = axes(), mm = camera.far * 2 * Math.tan(0.3) / canvas.clientHeight;
    camera = { ...camera, target: add(add(camera.target, right, -dx * mm), over, dy * mm) };
  };
  const touches = new Map(), moved = (how, ...by) => { flight++; how(...by); later(); };
  canvas.onpointerdown = (event) => { canvas.setPointerCapture(event.pointerId); touches.set(event.pointerId, event); };
  canvas.onpointerup = canvas.onpointercancel = (event) => touches.delete(event.pointerId);
  canvas.onpointermove = (event) => {
    const before = touches.get(event.pointerId);
    if (!before) return;
    const dx = event.clientX - before.clientX, dy = event.clientY - before.clientY;
    const other = [...touches.values()].find((one) => one.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    if (other) { moved(zoom, apart(before) / apart(event)); moved(pan, dx / 2, dy / 2); }
    else if (event.shiftKey || event.buttons & 6) moved(pan, dx, dy);
    else moved(orbit, dx / 150, dy / 150);
    touches.set(event.pointerId, event);
  };
  canvas.oncontextmenu = (event) => event.preventDefault();
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); moved(zoom, Math.exp(clamp(event.deltaY, -200, 200) / 600)); }, { passive: false });
  canvas.onkeydown = (event) => {
    const [dx, dy] = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] || [0, 0];
    if (dx || dy) event.shiftKey ? moved(pan, dx * 30, dy * 30) : moved(orbit, -dx / 8, dy / 8);
    else if ("+=-".includes(event.key)) moved(zoom, event.key === "-" ? 1.15 : 1 / 1.15);
    else if (event.key === "0" || event.key === "Home") choose(-1);
    else return;
    event.preventDefault();
  };
  $("whole").onclick = () => choose(-1);
  document.querySelectorAll("[data-finding]").forEach((one) => { one.onclick = () => choose(Number(one.dataset.finding)); });
  document.querySelectorAll("[data-problem]").forEach((box) => { box.onchange = () => { shown[box.dataset.problem] = box.checked; paint(); later(); }; });
  if (turns) turns.onchange = () => { stand(part.turns[turns.selectedIndex]); choose(-1); };
  canvas.addEventListener("webglcontextlost", () => document.documentElement.classList.remove("live"));
  stand(part.turns[0]);
  camera = whole(), paint();
  document.documentElement.classList.add("live");  // the canvas in the place of the pictures
  new ResizeObserver(() => {
    const sharp = Math.min(devicePixelRatio || 1, 2);
    canvas.width = Math.max(1, canvas.clientWidth * sharp);
    canvas.height = Math.max(1, canvas.clientHeight * sharp);
    draw();
  }).observe(canvas);
})();
