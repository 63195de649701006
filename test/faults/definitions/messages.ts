import { z } from 'zod'
import { relay, route, topic, webhook } from '../../../src/index.ts'
import { Deposited } from '../../worker/fixtures/accounts.ts'

/** What is told of a deposit: which event it was. */
const Told = topic('faults.deposited', z.object({ event: z.string() }))

/** Each deposit becomes a message. What writers publish themselves is in {@link publishing}. */
export const deposits = route('deposits', {
  events: [Deposited],
  from: 'start',
  on: { 'account.deposited': ({ id }) => Told({ event: id }) },
})

/** Gives all messages to the broker of the run, few at a time, so that it stops in the middle of much. */
export function outgoing(brokerUrl: string) {
  return relay('outgoing', {
    from: 'start',
    maxInFlight: 40,
    to: webhook({
      url: brokerUrl,
      secret: Buffer.alloc(32, 7).toString('base64'),
      timeoutMs: 2_000,
    }),
  })
}

/** Has each fifth row that writers write beside the log publish a message, in their transactions. */
export const publishing = /* sql */ `
  create function faults.publish_unrelated() returns trigger language plpgsql as $$
  begin
    perform tidemark.publish(
      'faults.noted', jsonb_build_object('row', new.id::text), 'key-' || new.id % 7
    );
    return null;
  end
  $$;
  create trigger publish_unrelated after insert on faults.unrelated
    for each row when (new.id % 5 = 0) execute function faults.publish_unrelated();`
