import { TidemarkError } from './tidemark-error.ts'

declare const brand: unique symbol

/**
 * Names one committed transaction of the log, so that a reader can wait for it. Opaque: pass it on
 * as it is, in a header or a cookie; it is short and safe in a URL.
 */
export type Token = string & { readonly [brand]: 'Token' }

/** What a token stands for. */
export interface TokenParts {
  readonly incarnation: number
  readonly transactionId: bigint
}

/** Writes a token. */
export function formatToken(parts: TokenParts): Token {
  return `${parts.incarnation}.${parts.transactionId}` as Token
}

const maxIncarnation = 2 ** 15 - 1
const maxTransactionId = 2n ** 64n - 1n

/**
 * Reads a token, as it came back from a header or a cookie.
 *
 * @throws TOKEN_INVALID when it is not one.
 */
export function parseToken(token: string): TokenParts {
  const match = /^([1-9]\d{0,4})\.(\d{1,20})$/.exec(token)
  const incarnation = Number(match?.[1])
  const transactionId = BigInt(match?.[2] ?? -1)
  if (match === null || incarnation > maxIncarnation || transactionId > maxTransactionId) {
    throw new TidemarkError('TOKEN_INVALID', `"${token.slice(0, 40)}" is not a tidemark token`, {
      details: { token },
    })
  }
  return { incarnation, transactionId }
}
