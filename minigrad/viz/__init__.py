"""Looking inside: what a model costs layer by layer, how it is wired, and what it looks at.

print(summary(model, (1, 3, 32, 32)))                 parameters, shapes, FLOPs and memory of each layer
draw(model, (1, 3, 32, 32)).save("model.svg")         layers and the shapes that pass between them
draw(loss).mermaid                                    the graph that backward will walk, as text
save_heat(grad_cam(model, x, model.layer4), "cam.png", images=x)
"""

from minigrad.viz.attention import attention_maps, save_attention
from minigrad.viz.drawing import Drawing, draw
from minigrad.viz.flops import count_flops
from minigrad.viz.pictures import save_heat
from minigrad.viz.saliency import grad_cam, input_gradients, integrated_gradients
from minigrad.viz.summary import Summary, summary

__all__ = [
    "Drawing",
    "Summary",
    "attention_maps",
    "count_flops",
    "draw",
    "grad_cam",
    "input_gradients",
    "integrated_gradients",
    "save_attention",
    "save_heat",
    "summary",
]
