import { z } from 'zod'
import { type AnyTask, type Reactor, reactor, type Task, task } from '../src/index.ts'
import { AccountCredited } from './accounts.ts'

const payload = z.object({ account: z.int(), cents: z.int() })

/** A job that a credit asks for; its start is told to somebody, with the id of the credit. */
export function noteCredit(
  tell: (eventId: string) => void,
): AnyTask & Task<z.input<typeof payload>> {
  return task('note-credit', {
    payload,
    run: async (_payload, { job }) => tell(job.event?.id ?? ''),
  })
}

/** Reactors that each ask for one job for each credit. */
export function creditReactors(
  names: readonly string[],
  from: 'now' | 'start',
): readonly Reactor[] {
  const ask = noteCredit(() => {})
  return names.map((name) =>
    reactor(name, {
      events: [AccountCredited],
      from,
      on: { 'account.credited': ({ data: { account, cents } }) => ask({ account, cents }) },
    }),
  )
}
