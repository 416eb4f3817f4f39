import type { MemoryImage } from "./market-memory.ts";
import type { State } from "./state.ts";
import type { VirtualImage } from "./virtual-book.ts";

/**
 * The whole memory of the core as plain data (objects, arrays, maps, sets, typed arrays), without what it was told when
 * it was created. Objects that are shared are shared here too, and have to stay so: an order is about a position, not
 * about a copy of one.
 */
export type StateImage = Omit<State, "config" | "configure" | "virtual" | "memory"> & {
  readonly virtual: VirtualImage;
  readonly memory: MemoryImage;
};

/** An image shares its memory with the state: it is to be copied before the next event. */
export function stateImage({ config: _, configure: __, virtual, memory, ...state }: State): StateImage {
  return { ...state, virtual: virtual.image(), memory: memory.image() };
}

/**
 * The state that an image was made of.
 * @param fresh a new state, created with the same configuration; used up
 * @param image a copy that nobody else has
 */
export function restoreState(fresh: State, image: StateImage): State {
  const { config, configure, virtual, memory } = fresh;
  virtual.restore(image.virtual);
  memory.restore(image.memory);
  const state: State = { ...image, config, configure, virtual, memory };
  if (state.changed.size > 0 && configure !== undefined) {
    state.config = configure(state.changed);
    virtual.rules = state.config.life;
  }
  return state;
}
