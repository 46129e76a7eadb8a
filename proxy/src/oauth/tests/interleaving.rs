//! Two people, two clients, two resources and two replicas in random order, at a Cognito whose refresh tokens are good
//! once: nobody ever gets what is another's, nothing that is good once is good twice, and no session loses the newest
//! refresh token. A model says what must come of every step.

use std::time::Duration;

use http::{Response, StatusCode};
use service::Clock;

use super::super::OAuthSettings;
use super::answers::{json, location, pair, query};
use super::doubles::subject;
use super::world::{ISSUER, Jar, VERIFIER, World, authorize_url, route};

const STEPS: usize = 800;
const USERS: [&str; 2] = ["alice", "bob"];
const PATHS: [&str; 2] = ["/mcp", "/other"];

/// A small generator (xorshift64*), so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
    }
}

/// One sign-in, as it should be.
struct SignIn {
    user: usize,
    client: usize,
    path: usize,
    code: String,
    code_ends: u64,
    redeemed: bool,
    over: bool,
    /// Every answer so far and when it was given, oldest first.
    answers: Vec<(String, String, u64)>,
}

struct Model {
    replicas: [World; 2],
    dice: Dice,
    clients: Vec<String>,
    jars: [Jar; 2],
    sign_ins: Vec<SignIn>,
}

impl Model {
    async fn new(seed: u64) -> Self {
        let replicas = World::replicas(&OAuthSettings::new(ISSUER, PATHS.map(route).to_vec()));
        // In use already: one that nobody ever used is forgotten, and hours pass here.
        let clients = vec![replicas[0].signed_in().await.client, replicas[1].signed_in().await.client];
        replicas[0].cognito.rotates();
        Self { replicas, dice: Dice(seed), clients, jars: Default::default(), sign_ins: Vec::new() }
    }

    /// Which replica the load balancer picks.
    fn replica(&mut self) -> usize {
        self.dice.below(2)
    }

    /// One of the latest sign-ins, and a client that is mostly its own.
    fn somebody(&mut self) -> (usize, usize) {
        let count = self.sign_ins.len();
        let index = count - 1 - self.dice.below(count.min(6));
        let other = usize::from(self.dice.below(6) == 0);
        (index, (self.sign_ins[index].client + other) % 2)
    }

    async fn sign_in(&mut self) {
        let (user, client, path) = (self.dice.below(2), self.dice.below(2), self.dice.below(2));
        let (begun, ended) = (self.replica(), self.replica());
        let (world, jar) = (&self.replicas[begun], &mut self.jars[user]);
        let resource = format!("{ISSUER}{}", PATHS[path]);
        let page = world.get(&authorize_url(&self.clients[client], &[("resource", &resource)]), jar).await;
        let onward = location(&world.decide(&page, jar, "approve").await);
        let callback =
            format!("/auth/callback?code=cognito-code:{}&state={}", USERS[user], query(&onward)["state"]);
        let code = query(&location(&self.replicas[ended].get(&callback, jar).await))["code"].clone();
        let code_ends = world.clock.unix() + 60;
        let (redeemed, over, answers) = (false, false, Vec::new());
        self.sign_ins.push(SignIn { user, client, path, code, code_ends, redeemed, over, answers });
    }

    async fn redeem(&mut self) {
        let (index, client) = self.somebody();
        let verifier =
            ["another-verifier-that-is-long-enough-0123456789", VERIFIER][self.dice.below(6).min(1)];
        let replica = self.replica();
        let world = &self.replicas[replica];
        let now = world.clock.unix();
        let it = &mut self.sign_ins[index];
        let form = [("code_verifier", verifier)];
        let answer = world.redeem(&self.clients[client], &it.code, &form).await;
        if it.redeemed && now < it.code_ends + 600 {
            it.over = true;
        }
        let good = !it.redeemed && now < it.code_ends && client == it.client && verifier == VERIFIER;
        assert_eq!(answer.status() == StatusCode::OK, good, "{answer:?}");
        if good {
            it.redeemed = true;
            it.learn(&answer, now);
        } else {
            assert_eq!(json(&answer)["error"], "invalid_grant");
        }
    }

    async fn refresh(&mut self) {
        let (index, client) = self.somebody();
        let replica = self.replica();
        let world = &self.replicas[replica];
        let now = world.clock.unix();
        let it = &mut self.sign_ins[index];
        if it.answers.is_empty() {
            return;
        }
        let age = self.dice.below(16).saturating_sub(13).min(it.answers.len() - 1);
        let newest = it.answers.len() - 1;
        let token = it.answers[newest - age].1.clone();
        let answer = world.refresh(&self.clients[client], &token, &[]).await;
        let ours = client == it.client && !it.over;
        let rotated = it.answers[newest].2;
        match age {
            0 if ours => it.learn(&answer, now),
            1 if ours && now - rotated <= 60 => {
                assert_eq!(pair(&answer), (it.answers[newest].0.clone(), it.answers[newest].1.clone()));
            }
            _ => {
                assert_eq!(json(&answer)["error"], "invalid_grant", "{answer:?}");
                it.over |= ours;
            }
        }
    }

    /// What an access token, of any age, opens: the same at both replicas, asked at once.
    async fn use_token(&mut self) {
        let it = &self.sign_ins[self.dice.below(self.sign_ins.len())];
        for _ in 0..32 {
            // What one replica said of ended sessions has been heard by the other.
            tokio::task::yield_now().await;
        }
        let [here, there] = &self.replicas;
        for (access, ..) in &it.answers {
            let Ok(claims) = here.tokens.verify(access) else { continue };
            assert_eq!(claims.client.as_str(), self.clients[it.client]);
            assert_eq!(claims.resource.as_str(), format!("{ISSUER}{}", PATHS[it.path]));
            assert_eq!(claims.subject, subject(USERS[it.user]));
            let (one, other) = tokio::join!(here.vault.fresh(&claims.sid), there.vault.fresh(&claims.sid));
            for found in [one, other] {
                assert_eq!(found.is_ok(), !it.over);
                let Ok(session) = found else { continue };
                assert_eq!(session.user.username, USERS[it.user]);
                assert_eq!((&session.client, &session.resource), (&claims.client, &claims.resource));
            }
        }
    }

    async fn give_back(&mut self) {
        let (index, client) = self.somebody();
        let it = &mut self.sign_ins[index];
        let Some((_, token, _)) = it.answers.last() else { return };
        let form = [("client_id", self.clients[client].as_str()), ("token", token)];
        assert_eq!(self.replicas[0].post("/revoke", &Jar::default(), &form).await.status(), StatusCode::OK);
        it.over |= client == it.client;
    }
}

impl SignIn {
    fn learn(&mut self, answer: &Response<bytes::Bytes>, now: u64) {
        assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
        let (access, refresh) = pair(answer);
        self.answers.push((access, refresh, now));
    }
}

#[tokio::test]
async fn nobody_gets_what_is_anothers_in_whatever_order() {
    for seed in [3, 0x5eed, 0xdead_beef] {
        let mut model = Model::new(seed).await;
        model.sign_in().await;
        for _ in 0..STEPS {
            match model.dice.below(20) {
                0..2 => model.sign_in().await,
                2..7 => model.redeem().await,
                7..14 => model.refresh().await,
                14..18 => model.use_token().await,
                18 if model.dice.below(3) == 0 => model.give_back().await,
                _ => {
                    let seconds = [1, 10, 61, 1800, 3500][model.dice.below(5)];
                    model.replicas[0].clock.advance(Duration::from_secs(seconds));
                }
            }
        }
        let redeemed = model.sign_ins.iter().filter(|one| one.redeemed).count();
        let refreshed = model.sign_ins.iter().filter(|one| one.answers.len() > 2).count();
        assert!(redeemed > 10 && refreshed > 2, "seed {seed}: {redeemed} redeemed, {refreshed} refreshed");
        let rotated = model.replicas[0].cognito.most_rotations();
        assert!(rotated > 1, "seed {seed}: no session was refreshed at Cognito more than {rotated} times");
        let mut all: Vec<_> = model.sign_ins.iter().flat_map(|one| &one.answers).map(|one| &one.1).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "a refresh token was given twice");
    }
}
