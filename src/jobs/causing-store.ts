import type { Circumstances } from '../core/causation.ts'
import type { JobOrigin } from './job-origin.ts'
import type { TaskStore } from './task-context.ts'

/** The same store, whose appends name what caused a job as their cause, unless they name one. */
export function causingStore(store: TaskStore, origin: JobOrigin | null): TaskStore {
  const { correlationId, causationId } = origin ?? {}
  if (correlationId === undefined && causationId === undefined) return store
  const caused = {
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(causationId === undefined ? {} : { causationId }),
  }
  const withCause = <O extends Circumstances>(options: O | undefined): O => {
    if (options?.causedBy !== undefined) return options
    return { ...options, metadata: { ...caused, ...options?.metadata } } as O
  }
  return {
    ...store,
    append: (streamId, events, options) => store.append(streamId, events, withCause(options)),
    appendMany: (appends, options) => store.appendMany(appends, withCause(options)),
    decide: (query, decide, options) => store.decide(query, decide, withCause(options)),
    execute: (decider, id, command, ...given) => {
      const [input, options] = given as [unknown, Circumstances | undefined]
      return store.execute(decider, id, command, ...([input, withCause(options)] as never))
    },
  }
}
