import { Logger as GraphileLogger } from 'graphile-worker'
import type { Logger } from '../core/logger.ts'

/** Lets graphile-worker write to our log. */
export function graphileLogger(logger: Logger): GraphileLogger {
  return new GraphileLogger((scope) => (level, message, meta) => {
    const fields = { ...scope, ...meta }
    if (level === 'error') logger.error(fields, message)
    else if (level === 'warning') logger.warn(fields, message)
    else logger.debug(fields, message)
  })
}
