"""Is a part printable: judged from its voxels by networks, and from its mesh by the rules of the process."""
