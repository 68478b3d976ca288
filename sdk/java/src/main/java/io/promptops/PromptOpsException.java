package io.promptops;

/**
 * What all errors of this client have in common.
 *
 * <pre>
 * PromptOpsException
 * ├── ServerUnreachableException      no response: refused, reset, name not found, TLS failed
 * │   └── RequestTimeoutException     no complete response within the time-out
 * ├── ProtocolException               a response that does not come from PromptOps
 * ├── ResponseException               the server refused; has the status and the server's message
 * │   ├── UnauthorizedException       401
 * │   ├── ForbiddenException          403
 * │   ├── NotFoundException           404
 * │   └── ServerException             5xx
 * ├── ClientClosedException           the client was closed before or during the call
 * ├── MissingVariableException        strict rendering, and a variable is missing
 * ├── TemplateValueException          a variable has no text form
 * └── PlaceholderException            a variable can't fill a placeholder of a chat
 * </pre>
 */
public class PromptOpsException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    PromptOpsException(String message, Throwable cause) {
        // The same exception may be thrown to many callers, so it must not collect suppressed ones.
        super(message, cause, false, true);
    }
}
