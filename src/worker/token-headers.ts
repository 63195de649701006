import { parseCookie, stringifySetCookie } from 'cookie'
import { parseToken, type Token } from '../core/token.ts'

/** Headers of a request: of `fetch` (`request.headers`), or of Node (`request.headers`). */
export type RequestHeaders =
  | { get(name: string): string | null }
  | { readonly [name: string]: string | readonly string[] | undefined }

export interface TokenHeadersOptions {
  /** Whether a cookie is set besides the header, for browsers that navigate. Default true. */
  readonly cookie?: boolean
  /** How long the browser keeps it: longer than projections are ever behind. Default 60. */
  readonly maxAgeSeconds?: number
  /** Whether the cookie travels over HTTPS alone. Default true. */
  readonly secure?: boolean
}

const header = 'tidemark-token'
const cookie = 'tidemark_token'

const defaults = { cookie: true, maxAgeSeconds: 60, secure: true }

/**
 * Writes a token as headers of a response, so that the next request of the same client can read what it
 * has written, whichever process answers it.
 *
 * @example
 * const { token } = await store.append(…)
 * return new Response(null, { status: 204, headers: tokenHeaders(token) })
 */
export function tokenHeaders(
  token: Token,
  options: TokenHeadersOptions = {},
): Readonly<Record<string, string>> {
  const { cookie: setsCookie, maxAgeSeconds, secure } = { ...defaults, ...options }
  if (!setsCookie) return { [header]: token }
  const setCookie = stringifySetCookie({
    name: cookie,
    value: token,
    path: '/',
    maxAge: maxAgeSeconds,
    httpOnly: true,
    sameSite: 'lax',
    secure,
  })
  return { [header]: token, 'set-cookie': setCookie }
}

/**
 * Reads the token of a request: of the header, else of the cookie. What is no token counts as none, since
 * it comes from outside; `timeoutMs` bounds how long one that was made up can make a query wait.
 *
 * @example
 * const db = await store.query(orders, { after: readToken(request.headers), onTimeout: 'stale' })
 */
export function readToken(headers: RequestHeaders): Token | null {
  const given = headerOf(headers, header) ?? parseCookie(headerOf(headers, 'cookie') ?? '')[cookie]
  if (given === undefined) return null
  try {
    parseToken(given)
    return given as Token
  } catch {
    return null
  }
}

function headerOf(headers: RequestHeaders, name: string): string | undefined {
  if (isFetchHeaders(headers)) return headers.get(name) ?? undefined
  const value = headers[name]
  return typeof value === 'object' ? value.at(-1) : value
}

function isFetchHeaders(headers: RequestHeaders): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function'
}
