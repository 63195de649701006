import type { AnyEventDefinition } from '../core/event.ts'
import { findLossyPlaces, type LossyPlace } from '../core/lossy-schemas.ts'

const checked = new WeakSet<AnyEventDefinition>()

/**
 * Warns of event types whose data JSON does not hold as their schemas say, once per definition and
 * process, as a warning of the process with the code `TIDEMARK_EVENT_LOSSY`: it is seen without any
 * set-up, `node --trace-warnings` shows where the store was opened, and `process.on('warning')`
 * catches it.
 *
 * Not when a type is defined but when it is used, because a lazy schema may name one that is not
 * defined until its module has been loaded.
 */
export function warnOfLossyEvents(definitions: Iterable<AnyEventDefinition>): void {
  for (const definition of definitions) {
    if (checked.has(definition)) continue
    checked.add(definition)
    const places = findLossyPlaces(definition)
    if (places.length === 0) continue
    const found = places.map(describe).join('; ')
    const message = `the data of event "${definition.type}" is not JSON: ${found}`
    process.emitWarning(message, { type: 'TidemarkWarning', code: 'TIDEMARK_EVENT_LOSSY' })
  }
}

function describe({ schemaVersion, path, reason }: LossyPlace): string {
  return `schema version ${schemaVersion}${path === '' ? '' : ` at ${path}`}: ${reason}`
}
