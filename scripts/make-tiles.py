#!/usr/bin/env python3
"""Writes Sources/Kernels/Baseline/*Tiles.swift: the register tiles of the matrix products.

A tile of r rows and v vectors of 16 floats keeps r * v accumulators in registers for the whole inner loop; Swift keeps
them there only as separate local variables, which is why the files are generated. What follows a product is done while it
is in registers: exponentials and their sums for the softmax, comparisons for the ranking.
"""
import os
import re

KINDS = {
    'tile': 'c[i, 0..<16v] (+)= sum over k of a[i * aRow + k * aStep] * b[k * bStep ..< + 16v], for i below the rows of the tile.',
    'groupTile': 'c += sum over k of a[i * aRow + k] * b[k * bStep ..< + 16v], over groups of columns of a that lie aGroup apart.',
    'expTile': 'c = 2^(sum over k of a[i * aRow + k] * b[k * bStep ..< + 16v] - shift); sums += the columns of c.',
    'countTile': 'how many sums over k of a[i * aRow + k] * b[k * bStep ..< + 16v] are above the limit of a column, and equal.',
    'transpose': '16 x 16 numbers turned over in registers, and so for gather and scatter with rows from anywhere.',
}

HELPERS = '''/// 8 floats and 8 zeros.
@inline(__always) private func loadHalf(_ p: UnsafePointer<Float>) -> V { V(lowHalf: load8(p), highHalf: .zero) }

/// The first 8 floats.
@inline(__always) private func storeHalf(_ v: V, _ p: UnsafeMutablePointer<Float>) { store8(v.lowHalf, p) }

@inline(__always) private func even(_ a: V, _ b: V) -> V { V(lowHalf: a.evenHalf, highHalf: b.evenHalf) }

@inline(__always) private func odd(_ a: V, _ b: V) -> V { V(lowHalf: a.oddHalf, highHalf: b.oddHalf) }

@inline(__always) private func atLeast(_ x: V, _ low: V) -> V { x.replacing(with: low, where: x .< low) }
'''

def accumulators(rows, vectors):
    return [(i, j) for i in range(rows) for j in range(vectors)]

def name(i, j):
    return f'c{i}{"xy"[j]}'

def place(base, i, j):
    offset = f'{i} &* cRow' if i else '0'
    return f'{base} + {offset}' + (' + 16' if j else '')

def loop(rows, vectors, step, prefetch=()):
    """The inner loop over k."""
    out = ['    var a = a', '    var b = b', '    var k = 0', '    while k < count {']
    out += [f'        {line}' for line in prefetch]
    out.append('        let x = load(b)')
    if vectors == 2: out.append('        let y = load(b + 16)')
    for i in range(rows):
        at = f'a[{i} &* aRow]' if i else 'a[0]'
        out.append(f'        let a{i} = {at}')
        for j in range(vectors):
            out.append(f'        {name(i, j)} = fma({name(i, j)}, a{i}, {"xy"[j]})')
    return out + [f'        a += {step}', '        b += bStep', '        k &+= 1', '    }']

def tile(rows, vectors):
    names = accumulators(rows, vectors)
    out = [f'''
@inline(never)
func tile{rows}x{vectors}(
    _ count: Int, _ a: UnsafePointer<Float>, _ aRow: Int, _ aStep: Int, _ b: UnsafePointer<Float>, _ bStep: Int,
    _ c: UnsafeMutablePointer<Float>, _ cRow: Int, _ accumulate: Bool
) {{''']
    out += [f'    var {name(i, j)} = V.zero' for i, j in names]
    out.append('    if accumulate {')
    out += [f'        {name(i, j)} = load({place("c", i, j)})' for i, j in names]
    out.append('    }')
    out += loop(rows, vectors, 'aStep')
    out += [f'    store({name(i, j)}, {place("c", i, j)})' for i, j in names]
    return '\n'.join(out + ['}'])

def group_tile(rows, vectors, width):
    names = accumulators(rows, vectors)
    out = [f'''
@inline(never)
func groupTile{rows}x{vectors}(
    _ groups: Int, _ a: UnsafePointer<Float>, _ aGroup: Int, _ b: UnsafePointer<Float>, _ bStep: Int,
    _ c: UnsafeMutablePointer<Float>, _ cRow: Int
) {{''']
    out += [f'    var {name(i, j)} = load({place("c", i, j)})' for i, j in names]
    out += ['    // The rows of the next tile.', '    var ahead = c + %d &* cRow' % rows, '    var b = b', '    var group = 0',
            '    while group < groups {', '        let a = a + group &* aGroup', '        var k = 0', f'        while k < {width} {{',
            '            k_prefetch(a + (%d &+ %d &* k))' % (width * rows, rows)]
    out.append('            let x = load(b)')
    if vectors == 2: out.append('            let y = load(b + 16)')
    for i in range(rows):
        out.append(f'            let a{i} = a[k &+ {width * i}]' if i else '            let a0 = a[k]')
        for j in range(vectors):
            out.append(f'            {name(i, j)} = fma({name(i, j)}, a{i}, {"xy"[j]})')
    out += ['            b += bStep', '            k &+= 1', '        }']
    per = 4
    out += ['        var line = 0', f'        while line < {per} {{']
    for j in range(vectors):
        out.append('            k_prefetch_write(ahead' + (' + 16' if j else '') + ')')
    out += ['            ahead += cRow', '            line &+= 1', '        }', '        group &+= 1', '    }']
    out += [f'    store({name(i, j)}, {place("c", i, j)})' for i, j in names]
    return '\n'.join(out + ['}'])

def exp_tile(rows, vectors):
    names = accumulators(rows, vectors)
    out = [f'''
@inline(never)
func expTile{rows}x{vectors}(
    _ count: Int, _ a: UnsafePointer<Float>, _ aRow: Int, _ b: UnsafePointer<Float>, _ bStep: Int,
    _ c: UnsafeMutablePointer<Float>, _ cRow: Int, _ sums: UnsafeMutablePointer<Float>,
    _ shifts: UnsafePointer<Float>?
) {{''']
    out += [f'    var {name(i, j)} = V.zero' for i, j in names]
    out += ['    var ahead = a + %d &* aRow' % rows]
    out += loop(rows, vectors, '1', ['k_prefetch(ahead)', f'ahead += {rows}'])
    out.append('    if let shifts {')
    out.append('        let low = splat(-126)')
    for j in range(vectors):
        out.append(f'        let s{"xy"[j]} = load(shifts' + (' + 16' if j else '') + ')')
    out += [f'        {name(i, j)} = atLeast({name(i, j)} - s{"xy"[j]}, low)' for i, j in names]
    out.append('    }')
    for j in range(vectors):
        out.append(f'    var sum{"xy"[j]} = load(sums' + (' + 16' if j else '') + ')')
    for i, j in names:
        v = 'xy'[j]
        out += [f'    {name(i, j)} = exp2({name(i, j)})', f'    store({name(i, j)}, {place("c", i, j)})',
                f'    sum{v} += {name(i, j)}']
    for j in range(vectors):
        out.append(f'    store(sum{"xy"[j]}, sums' + (' + 16' if j else '') + ')')
    return '\n'.join(out + ['}'])

def count_tile(rows, vectors):
    names = accumulators(rows, vectors)
    out = [f'''
@inline(never)
func countTile{rows}x{vectors}(
    _ count: Int, _ a: UnsafePointer<Float>, _ aRow: Int, _ b: UnsafePointer<Float>, _ bStep: Int,
    _ limits: UnsafePointer<Float>, _ greater: UnsafeMutablePointer<Int32>, _ equal: UnsafeMutablePointer<Int32>,
    _ finite: UnsafeMutablePointer<Float>
) {{''']
    out += [f'    var {name(i, j)} = V.zero' for i, j in names]
    out += loop(rows, vectors, '1')
    out += ['    let one = I(repeating: 1)', '    // A product with 0 is 0 for finite numbers and NaN otherwise.',
            '    var proof = load(finite)']
    for j in range(vectors):
        v, plus = 'xy'[j], ' + 16' if j else ''
        out += [f'    let limit{v} = load(limits{plus})', f'    var above{v} = loadInt(greater{plus})',
                f'    var same{v} = loadInt(equal{plus})']
    for i, j in names:
        v, c = 'xy'[j], name(i, j)
        out += [f'    proof = fma(proof, {c}, V.zero)',
                f'    above{v} = above{v}.replacing(with: above{v} &+ one, where: {c} .> limit{v})',
                f'    same{v} = same{v}.replacing(with: same{v} &+ one, where: {c} .== limit{v})']
    for j in range(vectors):
        v, plus = 'xy'[j], ' + 16' if j else ''
        out += [f'    storeInt(above{v}, greater{plus})', f'    storeInt(same{v}, equal{plus})']
    return '\n'.join(out + ['    store(proof, finite)', '}'])

def shuffles():
    """Four stages of perfect shuffles turn the address row|column of an element by one bit each: column|row at the end."""
    out = []
    old = 'r'
    for stage in range(4):
        new = 'stuv'[stage]
        for i in range(8):
            out.append(f'    let {new}{i} = even({old}{2 * i}, {old}{2 * i + 1})')
        for i in range(8):
            out.append(f'    let {new}{i + 8} = odd({old}{2 * i}, {old}{2 * i + 1})')
        old = new
    return out

def transpose():
    out = ['''
/// out[c * stride + r] = x[r * ld + c] for 16 rows, those from `rows` on zero, and 16 columns, or 8 where `half`.
@inline(never)
func transpose16(
    _ x: UnsafePointer<Float>, _ ld: Int, _ rows: Int, _ half: Bool, _ out: UnsafeMutablePointer<Float>, _ stride: Int
) {''']
    for i in range(16):
        out.append(f'    var r{i} = V.zero')
    out.append('    if half {')
    for i in range(16):
        out.append(f'        if rows > {i} {{ r{i} = loadHalf(x + {i} &* ld) }}')
    out.append('    } else {')
    for i in range(16):
        out.append(f'        if rows > {i} {{ r{i} = load(x + {i} &* ld) }}')
    out.append('    }')
    out += shuffles()
    for i in range(16):
        if i == 8: out.append('    if half { return }')
        out.append(f'    store(v{i}, out + {i} &* stride)' if i else '    store(v0, out)')
    return '\n'.join(out + ['}'])

def gather():
    out = ['''
/// out[c * stride + r] = x[rows[r] * ld + c] for 16 rows and 16 columns, or 8 where `half`.
@inline(never)
func gather16(
    _ x: UnsafePointer<Float>, _ ld: Int, _ rows: UnsafePointer<Int32>, _ half: Bool,
    _ out: UnsafeMutablePointer<Float>, _ stride: Int
) {''']
    for i in range(16):
        out.append(f'    let p{i} = x + Int(rows[{i}]) &* ld')
    for i in range(16):
        out.append(f'    var r{i} = V.zero')
    out.append('    if half {')
    out += [f'        r{i} = loadHalf(p{i})' for i in range(16)]
    out.append('    } else {')
    out += [f'        r{i} = load(p{i})' for i in range(16)]
    out.append('    }')
    out += shuffles()
    for i in range(16):
        if i == 8: out.append('    if half { return }')
        out.append(f'    store(v{i}, out + {i} &* stride)' if i else '    store(v0, out)')
    return '\n'.join(out + ['}'])

def scatter():
    out = ['''
/// out[rows[r] * ld + c] = x[c * stride + r] for the first `count` of 16 rows and 16 columns, or 8 where `half`.
@inline(never)
func scatter16(
    _ x: UnsafePointer<Float>, _ stride: Int, _ rows: UnsafePointer<Int32>, _ count: Int, _ half: Bool,
    _ out: UnsafeMutablePointer<Float>, _ ld: Int
) {''']
    for i in range(8):
        out.append(f'    let r{i} = load(x + {i} &* stride)' if i else '    let r0 = load(x)')
    for i in range(8, 16):
        out.append(f'    var r{i} = V.zero')
    out.append('    if !half {')
    out += [f'        r{i} = load(x + {i} &* stride)' for i in range(8, 16)]
    out.append('    }')
    out += shuffles()
    out.append('    if half {')
    for i in range(16):
        out.append(f'        if count > {i} {{ storeHalf(v{i}, out + Int(rows[{i}]) &* ld) }}')
    out.append('        return')
    out.append('    }')
    for i in range(16):
        out.append(f'    if count > {i} {{ store(v{i}, out + Int(rows[{i}]) &* ld) }}')
    return '\n'.join(out + ['}'])

def head(text):
    """What stands before a file's functions: what they are, and the helpers that they call."""
    lines = ['// Generated by scripts/make-tiles.py; change that instead.', '//']
    lines += [f'// {kind}: {what}' for kind, what in KINDS.items() if re.search(rf'func {kind}\d', text)]
    if 'k_prefetch' in text: lines += ['', 'private import CKernels']
    kept = ''
    for helper in reversed(HELPERS.rstrip('\n').split('\n\n')):
        name = re.search(r'func (\w+)', helper)[1]
        if re.search(rf'\b{name}\(', text + kept): kept = '\n' + helper + '\n' + kept
    return '\n'.join(lines) + '\n' + kept

def write(file, wide, narrow, both=''):
    """One file: what needs 32 registers, what is for 16, and what is for all."""
    text = both
    if wide: text = '\n#if K_AVX512\n' + '\n'.join(wide) + '\n\n#else\n' + '\n'.join(narrow) + '\n\n#endif\n' + both
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(root, 'Sources', 'Kernels', 'Baseline', file), 'w') as f:
        f.write(head(text) + text)

write('Tiles.swift', [tile(r, 2) for r in (12, 8, 4, 2, 1)] + [tile(12, 1), tile(8, 1)], [tile(6, 1)],
      '\n'.join(tile(r, 1) for r in (4, 2, 1)) + '\n')
write('TransposeTiles.swift', [], [], '\n'.join([transpose(), gather(), scatter()]) + '\n')
write('ExpTiles.swift', [exp_tile(r, 2) for r in (12, 1)], [exp_tile(r, 1) for r in (6, 1)])
write('CountTiles.swift', [count_tile(r, v) for v in (2, 1) for r in (12, 1)], [count_tile(r, 1) for r in (6, 1)])
write('GroupTiles.swift', [group_tile(r, v, 32) for v in (2, 1) for r in (12, 1)],
      [group_tile(r, 1, 16) for r in (6, 1)])
