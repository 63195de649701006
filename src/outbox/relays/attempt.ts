import { TidemarkError } from '../../core/tidemark-error.ts'
import { asPublishFailed } from './publish-failed.ts'

/**
 * Does something with a broker, and makes what is thrown an error that the relay loop knows.
 *
 * @throws OPERATION_CANCELLED when the signal has come; else a refusal as it is, and all else as PUBLISH_FAILED.
 */
export async function attempt<T>(
  broker: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    signal.throwIfAborted()
    return await work()
  } catch (error) {
    if (signal.aborted) throw cancelled(broker, signal)
    throw asPublishFailed(broker, error)
  }
}

function cancelled(broker: string, signal: AbortSignal): TidemarkError {
  return new TidemarkError('OPERATION_CANCELLED', `publishing to ${broker} was cancelled`, {
    details: { operation: 'publish' },
    cause: signal.reason,
  })
}

/**
 * Waits for something, but no longer than so, nor when the signal has come.
 *
 * @throws an error with the reason, or the signal's; what is waited for goes on.
 */
export async function within<T>(
  ms: number,
  work: Promise<T>,
  reason: string,
  signal?: AbortSignal,
): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(reason)), ms)
  const end = () => late.reject(signal?.reason)
  signal?.addEventListener('abort', end)
  if (signal?.aborted) end()
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
  }
}
