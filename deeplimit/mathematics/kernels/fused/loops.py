"""Forward map and adjoint of explicit Runge-Kutta stages, all layers of a block of lanes in one loop."""
from numba import njit
from deeplimit.mathematics.kernels.fused.instructions import *
from deeplimit.mathematics.kernels.fused.instructions import activations
from deeplimit.mathematics.kernels.fused.lanes import PANEL as _P
PANEL=_P
_tanh=activations["tanh"]; _sigmoid=activations["sigmoid"]; _silu=activations["silu"]; _identity=activations["identity"]; _relu=activations["relu"]; _leaky=activations["leaky_relu"]
opts=dict(nogil=True, error_model="numpy", boundscheck=False, cache=True)

@njit(**opts)
def activate(code, z, zo, a, ao, s, so, stride, rows):
    if code==0:
        _tanh(z,zo,a,ao,s,so,stride,rows)
    elif code==1:
        _sigmoid(z,zo,a,ao,s,so,stride,rows)
    elif code==2:
        _silu(z,zo,a,ao,s,so,stride,rows)
    elif code==3:
        _identity(z,zo,a,ao,s,so,stride,rows)
    elif code==4:
        _relu(z,zo,a,ao,s,so,stride,rows)
    else:
        _leaky(z,zo,a,ao,s,so,stride,rows)

@njit(**opts)
def forward(code, K, b, feeds, weights, h, steps, d, lanes, state, inputs, slope, k):
    stages = len(weights)
    size = d*lanes
    for i in range(steps):
        for j in range(stages):
            q = i*stages+j
            for lane in range(0, lanes, PANEL):
                y = q*size+lane
                scale(inputs, y, state, lane, 1.0, lanes, d)
                for l in range(j):
                    w = feeds[j*stages+l]
                    if w != 0.0:
                        add_scaled(inputs, y, inputs, y, h*w, k, l*size+lane, lanes, d)
                for r in range(0, d, 4):
                    affine(slope, y+r*lanes, K, q*d*d+r*d, d, 1, inputs, y, b, q*d+r, lanes, d)
                activate(code, slope, y, k, j*size+lane, slope, y, lanes, d)
        for j in range(stages):
            for lane in range(0, lanes, PANEL):
                add_scaled(state, lane, state, lane, h*weights[j], k, j*size+lane, lanes, d)

@njit(**opts)
def backward(K, feeds, weights, h, steps, d, lanes, p, inputs, slope, v, gK, gb):
    stages = len(weights)
    size = d*lanes
    for i in range(steps-1,-1,-1):
        for j in range(stages-1,-1,-1):
            q = i*stages+j
            for lane in range(0, lanes, PANEL):
                here = j*size+lane
                y = q*size+lane
                # κ in v[j], until δ takes slope's place
                scale(v, here, p, lane, weights[j], lanes, d)
                for l in range(j+1,stages):
                    w = feeds[l*stages+j]
                    if w != 0.0:
                        add_scaled(v, here, v, here, h*w, v, l*size+lane, lanes, d)
                multiply(slope, y, slope, y, v, here, lanes, d)
                for r in range(0,d,4):
                    product(v, here+r*lanes, K, q*d*d+r, 1, d, slope, y, lanes, d)
            for r in range(0,d,4):
                for c in range(0,d,4):
                    add_outer(gK, q*d*d+r*d+c, d, slope, q*size+r*lanes, inputs, q*size+c*lanes, lanes, lanes, h)
                add_row_sums(gb, q*d+r, slope, q*size+r*lanes, lanes, lanes, h)
        for j in range(stages):
            for lane in range(0, lanes, PANEL):
                add_scaled(p, lane, p, lane, h, v, j*size+lane, lanes, d)
