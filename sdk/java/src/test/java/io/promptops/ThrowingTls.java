package io.promptops;

import java.security.KeyManagementException;
import java.security.Provider;
import java.security.SecureRandom;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLContextSpi;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLServerSocketFactory;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;

/** Throws an unexpected error whenever a connection is encrypted. */
final class ThrowingTls extends SSLContext {
    private final Spi spi;

    ThrowingTls(boolean isError) {
        this(new Spi(isError));
    }

    private ThrowingTls(Spi spi) {
        super(spi, new Provider("throwing", "1", "") {
            private static final long serialVersionUID = 1L;
        }, "TLS");
        this.spi = spi;
    }

    int uses() {
        return spi.uses.get();
    }

    private static final class Spi extends SSLContextSpi {
        private final AtomicInteger uses = new AtomicInteger();
        private final boolean isError;

        Spi(boolean isError) {
            this.isError = isError;
        }

        @Override
        protected SSLSocketFactory engineGetSocketFactory() {
            uses.incrementAndGet();
            if (isError) {
                throw new AssertionError("nobody expects this");
            }
            throw new IllegalStateException("nobody expects this");
        }

        @Override
        protected void engineInit(KeyManager[] keys, TrustManager[] trust, SecureRandom random)
                throws KeyManagementException {
            throw new KeyManagementException();
        }

        @Override
        protected SSLServerSocketFactory engineGetServerSocketFactory() {
            throw new UnsupportedOperationException();
        }

        @Override
        protected SSLEngine engineCreateSSLEngine() {
            throw new UnsupportedOperationException();
        }

        @Override
        protected SSLEngine engineCreateSSLEngine(String host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected SSLSessionContext engineGetServerSessionContext() {
            throw new UnsupportedOperationException();
        }

        @Override
        protected SSLSessionContext engineGetClientSessionContext() {
            throw new UnsupportedOperationException();
        }
    }
}
