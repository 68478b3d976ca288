package io.promptops;

/**
 * What all errors of this client have in common.
 *
 * <pre>
 * PromptOpsException
 * ├── ServerUnreachableException      no answer: refused, reset, name not found, TLS failed
 * │   └── RequestTimeoutException     no full answer within the time-out
 * ├── ProtocolException               an answer that is not what PromptOps sends
 * ├── ResponseException               the server refused; has the status and the server's own words
 * │   ├── UnauthorizedException       401
 * │   ├── ForbiddenException          403
 * │   ├── NotFoundException           404
 * │   └── ServerException             5xx
 * ├── ClientClosedException           the client was closed before or during the call
 * ├── MissingVariableException        strict rendering, and a variable is not given
 * └── TemplateValueException          a variable can't be put into a text
 * </pre>
 */
public class PromptOpsException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    PromptOpsException(String message, Throwable cause) {
        // The same one may be thrown to many callers: what each suppresses would pile up in it.
        super(message, cause, false, true);
    }
}
