import { randomFillSync } from 'node:crypto'
import { v7 as uuidV7 } from 'uuid'

const randomBytesPerId = 16

/** Random bytes ahead: asking for 16 at a time took ten times as long as all the rest of an id. */
const pool = new Uint8Array(256 * randomBytesPerId)
let used = pool.length

/** Makes an event id: a UUID of version 7, which begins with the time in milliseconds. */
export function newEventId(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += randomBytesPerId
  return uuidV7({ random: pool.subarray(used - randomBytesPerId, used) })
}
