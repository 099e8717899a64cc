"""Write all-MiniLM-L6-v2 as an ONNX graph whose weights stay in the model's safetensors file."""

import argparse
import json
from pathlib import Path
from typing import Any

from onnx import ModelProto, NodeProto, TensorProto, helper, shape_inference

WEIGHTS = "model.safetensors"


class Graph:
    """Nodes in the order they are added, with the stored tensors and constants they read."""

    def __init__(self, weights: Path) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}
        with weights.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            self._header = json.loads(file.read(size))
            self._start = 8 + size

    def add(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """Add one node and give the name of its output."""
        name = out or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def integers(self, *values: int) -> str:
        """Give the name of a constant list of integers."""
        name = "_".join(["integers", *map(str, values)])
        self.initializers[name] = helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
        return name

    def stored(self, name: str) -> str:
        """Give the name of a tensor of the safetensors file, as it lies there."""
        entry = self._header[name]
        begin, end = entry["data_offsets"]
        tensor = TensorProto(name=name, dims=entry["shape"], data_type=TensorProto.FLOAT)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": WEIGHTS, "offset": self._start + begin, "length": end - begin}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self.initializers[name] = tensor
        return name

    def dense(self, x: str, layer: str) -> str:
        """Multiply by a layer's weight, read in its stored orientation, and add its bias."""
        return self.add("Gemm", x, *self._pair(layer), transB=1)

    def normalised(self, x: str, residual: str, layer: str, epsilon: float) -> str:
        """Add two tensors and normalise every token."""
        total = self.add("Add", x, residual)
        return self.add("LayerNormalization", total, *self._pair(layer), epsilon=epsilon)

    def _pair(self, layer: str) -> tuple[str, str]:
        return self.stored(f"{layer}.weight"), self.stored(f"{layer}.bias")


def build(folder: Path) -> ModelProto:
    """Build token embedding, encoder, mean pooling and L2 normalisation in standard operators."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    width, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon = config["layer_norm_eps"]
    g = Graph(folder / WEIGHTS)
    first, second, flat = g.integers(0), g.integers(1), g.integers(-1, width)
    shape = g.add("Concat", g.add("Shape", "input_ids"), g.integers(width), axis=0)
    lengths = g.add("ReduceSum", "attention_mask", second, keepdims=0)

    # Type 0 is the only one there is here: the runtime folds it into the positions at load.
    types = g.add("Gather", g.stored("embeddings.token_type_embeddings.weight"), first)
    positions = g.add("Add", g.stored("embeddings.position_embeddings.weight"), types)
    used = g.add("Slice", positions, first, g.add("Shape", "input_ids", start=1, end=2), first)
    words = g.add("Gather", g.stored("embeddings.word_embeddings.weight"), "input_ids")
    x = g.add("Reshape", g.normalised(words, used, "embeddings.LayerNorm", epsilon), flat)

    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        heads_of = [
            g.add("Reshape", g.dense(x, f"{layer}.attention.self.{part}"), shape)
            for part in ("query", "key", "value")
        ]
        # Lengths instead of a mask: padding, on the right, is never attended to, at no cost.
        mixed = g.add(
            "Attention", *heads_of, "", "", "", lengths, q_num_heads=heads, kv_num_heads=heads
        )
        mixed = g.dense(g.add("Reshape", mixed, flat), f"{layer}.attention.output.dense")
        x = g.normalised(mixed, x, f"{layer}.attention.output.LayerNorm", epsilon)
        wide = g.add("Gelu", g.dense(x, f"{layer}.intermediate.dense"))
        inner = g.dense(wide, f"{layer}.output.dense")
        x = g.normalised(inner, x, f"{layer}.output.LayerNorm", epsilon)

    # The sum over a text's tokens points where their mean does, and only the direction is kept.
    mask = g.add("Unsqueeze", g.add("Cast", "attention_mask", to=TensorProto.FLOAT), second)
    total = g.add("Squeeze", g.add("MatMul", mask, g.add("Reshape", x, shape)), second)
    g.add("LpNormalization", total, out="embedding", axis=-1, p=2)

    value = helper.make_tensor_value_info
    names = "input_ids", "attention_mask"
    inputs = [value(name, TensorProto.INT64, ["batch", "tokens"]) for name in names]
    output = value("embedding", TensorProto.FLOAT, ["batch", width])
    graph = helper.make_graph(g.nodes, "minilm", inputs, [output], [*g.initializers.values()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=12)


def main() -> None:
    """Write the graph for a folder that holds config.json and model.safetensors."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("graph", type=Path)
    options = parser.parse_args()
    model = build(options.folder)
    shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    options.graph.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
