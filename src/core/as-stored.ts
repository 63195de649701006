import type { EvolvingEvent } from './decider.ts'
import type { NewEvent } from './event.ts'

/** Shows a new event as `evolve` will see it when it has been stored and read again. */
export function asStored({ type, data, metadata = {}, tags = [] }: NewEvent): EvolvingEvent {
  return { type, data: throughJson(data), metadata, tags }
}

function throughJson(data: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(data))
  } catch {
    return data // The append refuses what JSON cannot hold, and says where it is.
  }
}
