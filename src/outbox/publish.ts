import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import { runAppend } from '../store/run-append.ts'
import { encodeMessages } from './message-columns.ts'
import type { NewMessage } from './topic.ts'

/**
 * Publishes messages in one statement: writes them into the outbox. Alone on a pool the statement is its
 * own transaction; on a client or a Kysely transaction it joins the caller's, and the messages are relayed
 * if and when that commits, in this order.
 *
 * @returns the messages' ids, in the same order.
 * @throws MESSAGE_INVALID, MESSAGE_TOO_LARGE, LOG_MOVED, PRIVILEGE_MISSING
 */
export async function publishMessages(
  connection: Connection,
  names: LogNames,
  messages: readonly NewMessage[],
): Promise<readonly string[]> {
  if (messages.length === 0) return []
  const values = encodeMessages(messages)
  await runAppend(connection, names, {
    name: `tidemark-publish-${names.schema}`,
    text: `select from ${names.schema}.publish_messages($1, $2, $3, $4, $5)`,
    values,
  })
  return values[0]
}
