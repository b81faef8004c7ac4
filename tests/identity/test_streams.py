import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dlatlas.identity.streams import Streams, stream


@settings(max_examples=30)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=4, unique=True), st.lists(st.integers(0, 2**40), min_size=1))
def test_streams_moved_to_a_block_draw_what_new_ones_would(keys, blocks):
    moved = Streams(keys, "order")
    for block in blocks:
        for key, generator in zip(keys, moved.at(block)):
            anew = stream(key, "order", block)
            assert (generator.permutation(9) == anew.permutation(9)).all()
            assert generator.random(dtype=np.float32) == anew.random(dtype=np.float32)  # half a word is left over
            assert generator.normal() == anew.normal()


def test_streams_of_other_names_keys_and_blocks_are_others():
    first = [stream(key, name, block).random() for key in "ab" for name in "ab" for block in (0, 1)]
    assert len(set(first)) == 8
