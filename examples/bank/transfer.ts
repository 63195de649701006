import { z } from 'zod'
import { decider, event, reject } from '../../src/index.ts'

const transferId = z.string()

export const TransferRequested = event('transfer.requested').v(
  1,
  z.object({ transferId, from: z.string(), to: z.string(), cents: z.int().positive() }),
)
export const TransferCompleted = event('transfer.completed').v(1, z.object({ transferId }))
export const TransferFailed = event('transfer.failed').v(
  1,
  z.object({ transferId, reason: z.string() }),
)

export const transferEvents = [TransferRequested, TransferCompleted, TransferFailed] as const

/** A transfer, as whoever asked for it sees it. The money is moved by the process. */
export const Transfer = decider('transfer', {
  events: transferEvents,
  initial: () => ({ status: 'none' as 'none' | 'requested' | 'completed' | 'failed' }),
  evolve: {
    'transfer.requested': () => ({ status: 'requested' }),
    'transfer.completed': () => ({ status: 'completed' }),
    'transfer.failed': () => ({ status: 'failed' }),
  },
  commands: {
    request: (
      { status },
      input: { transferId: string; from: string; to: string; cents: number },
    ) => {
      if (status !== 'none') return reject('transfer-exists')
      return input.from === input.to ? reject('same-account') : TransferRequested(input)
    },
    complete: (_, input: { transferId: string }) => TransferCompleted(input),
    fail: (_, input: { transferId: string; reason: string }) => TransferFailed(input),
  },
})
