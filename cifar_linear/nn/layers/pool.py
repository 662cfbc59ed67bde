"""Sizes of pooling layers, whose windows lie side by side."""

from dataclasses import dataclass

from cifar_linear.nn.layers.layer import Shape, Window, WithoutWeights, sides


@dataclass(frozen=True)
class Pool(WithoutWeights):
    """One number for each window: (C, H, W) -> (C, H / size, W / size).

    Attributes:
        size: rows and columns of a window, and the distance to the next; must divide H and W.
    """

    size: int

    def output_shape(self, shape: Shape) -> Shape:
        """Return (C, H / size, W / size)."""
        channels, rows, columns = sides(shape)
        if self.size < 1:
            raise ValueError(f"its size must be at least 1, not {self.size}")
        if rows % self.size or columns % self.size:
            raise ValueError(f"windows of {self.size} x {self.size} do not divide {rows} x {columns} pixels")
        return channels, rows // self.size, columns // self.size

    def window(self, _shape: Shape) -> Window:
        """Return windows of size x size pixels, side by side."""
        return Window(self.size, self.size)
