/**
 * How long to stay away from a stream that others write: at random, so that those who collided do
 * not collide again, and longer each time, up to half a second.
 *
 * @param chance from 0 to 1.
 */
export function retryDelayMs(attempt: number, chance: number): number {
  return chance * Math.min(500, 5 * 2 ** attempt)
}
