import type { OpenPublisher } from '../../src/index.ts'
import { alterAnswers, twice, withoutCompensation } from '../harness/alter-answers.ts'
import { fulfilment } from './fulfilment.ts'

/** Ways to break the shop on purpose. The checks have to find each. */
export const controls = ['no-compensation', 'charge-twice', 'lose-messages'] as const

export type Control = (typeof controls)[number]

/** Gives the process that workers run: the right one, or one that a control has broken. */
export function fulfilmentUnder(control: string | undefined): typeof fulfilment {
  switch (control) {
    case 'no-compensation': // what was done is not undone
      return alterAnswers(fulfilment, withoutCompensation)
    case 'charge-twice':
      return alterAnswers(fulfilment, twice('charge'))
    default:
      return fulfilment
  }
}

/** Gives a publisher that confirms what it has not published, for some of the messages. */
export function publisherUnder(control: string | undefined, open: OpenPublisher): OpenPublisher {
  if (control !== 'lose-messages') return open
  return async (context) => {
    const publisher = await open(context)
    return {
      publish: (messages, signal) =>
        publisher.publish(
          messages.filter(({ position }) => position % 7n !== 0n),
          signal,
        ),
      [Symbol.asyncDispose]: () => publisher[Symbol.asyncDispose](),
    }
  }
}
