import { createHmac, timingSafeEqual } from 'node:crypto'
import { optionInvalid } from '../../core/option-invalid.ts'

/**
 * Signs what a webhook sends, as Standard Webhooks have it
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 *
 * @param secret base64 of 24 to 64 bytes, with or without `whsec_` before it.
 * @param timestamp seconds since 1970.
 */
export function signWebhook(
  secret: string,
  id: string,
  timestamp: number,
  body: string | Buffer,
): string {
  const signature = createHmac('sha256', webhookKey(secret))
    .update(`${id}.${timestamp}.`)
    .update(body)
    .digest('base64')
  return `v1,${signature}`
}

export interface VerifyWebhookOptions {
  /** How old, or how far ahead, a delivery may be. Default 300. */
  readonly toleranceSeconds?: number
  /** Default: the clock. */
  readonly now?: () => Date
}

/**
 * Tells whether a delivery comes from somebody who knows the secret, and just now: for those who receive
 * webhooks of tidemark.
 *
 * @param headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, in lower case as Node has them.
 * @param body as it came, not parsed.
 */
export function verifyWebhook(
  secret: string,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  body: string | Buffer,
  options: VerifyWebhookOptions = {},
): boolean {
  const { toleranceSeconds = 300, now = () => new Date() } = options
  const id = String(headers['webhook-id'])
  const timestamp = Number(headers['webhook-timestamp'])
  const age = now().getTime() / 1000 - timestamp
  if (!Number.isSafeInteger(timestamp) || Math.abs(age) > toleranceSeconds) return false
  const expected = Buffer.from(signWebhook(secret, id, timestamp, body))
  return String(headers['webhook-signature'])
    .split(' ')
    .some((signature) => isEqual(Buffer.from(signature), expected))
}

function isEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** @throws OPTION_INVALID when it is not base64 of enough bytes. The message does not have it. */
export function webhookKey(secret: string): Buffer {
  const text = secret.replace(/^whsec_/, '')
  const key = Buffer.from(text, 'base64')
  if (key.length < 24 || key.length > 64 || key.toString('base64') !== text) {
    throw optionInvalid('secret', 'it is not base64 of 24 to 64 bytes')
  }
  return key
}
