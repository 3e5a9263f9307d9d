"""Images: MNIST, CIFAR, STL-10, Pathfinder, folders."""
